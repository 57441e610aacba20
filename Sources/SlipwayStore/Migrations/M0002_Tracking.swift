import SlipwaySQL

package enum M0002 {
    package static let tracking = Migration("M0002_Tracking", """
        """)
}
