import SlipwaySQL

package enum M0008 {
    package static let monitoring = Migration("M0008_Monitoring", """
        """)
}
