import SlipwaySQL

package enum M0007 {
    package static let serving = Migration("M0007_Serving", """
        """)
}
