import SlipwaySQL

package enum M0005 {
    package static let pipelines = Migration("M0005_Pipelines", """
        """)
}
