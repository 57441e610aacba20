import SlipwaySQL

package enum M0006 {
    package static let promotions = Migration("M0006_Promotions", """
        """)
}
