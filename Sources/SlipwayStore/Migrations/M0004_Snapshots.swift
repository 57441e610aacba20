import SlipwaySQL

package enum M0004 {
    package static let snapshots = Migration("M0004_Snapshots", """
        """)
}
