import SlipwaySQL

package enum M0003 {
    package static let registry = Migration("M0003_Registry", """
        """)
}
