import SlipwayCore

/// Curves over one axis. In the page it is a table, which is also what a reader without JavaScript gets;
/// `slipway.js` draws the table with dygraphs.
package struct Chart: Sendable {
    package enum Axis: Sendable {
        case number(String)
        case time(String)
        /// Evenly spaced points with names of their own, such as months.
        case names(String)

        var title: String {
            switch self {
            case .number(let title), .time(let title), .names(let title): title
            }
        }
        var kind: String {
            switch self {
            case .number: "number"
            case .time: "time"
            case .names: "names"
            }
        }
    }

    package struct Point: Sendable {
        /// On the axis: a number, or milliseconds since 1970.
        package var x: Double
        package var label: String
        /// One per series, nil where there is none.
        package var values: [Double?]
        package init(x: Double, label: String, values: [Double?]) {
            self.x = x
            self.label = label
            self.values = values
        }
    }

    package var title: String
    package var axis: Axis
    package var series: [String]
    package var points: [Point]
    /// A level to compare with, such as the training baseline.
    package var reference: (name: String, value: Double)?
    /// The axis starts at zero, as counts should.
    package var startsAtZero = false

    package init(_ title: String, axis: Axis, series: [String], points: [Point], reference: (name: String, value: Double)? = nil) {
        self.title = title
        self.axis = axis
        self.series = series
        self.points = points
        self.reference = reference
    }

    /// More points than this are thinned before they come here: a page stays small, and a screen shows no more.
    package static let pointsMax = 500
}

extension Piece {
    private static let zero: HTML = " data-zero"

    static func chart(_ chart: Chart) -> HTML {
        let columns = [Column(stringLiteral: chart.axis.title)] + chart.series.map { Column.number($0) }
        let head = columns.html { "<th scope=\"col\">\($0.title)</th>" }
        let body = chart.points.html { point in
            let cells = point.values.html { value in
                guard let value else { return "<td></td>" }
                return value.isFinite ? "<td data-v=\"\(String(value))\">\(Spelled.number(value))</td>" : "<td>\(Spelled.number(value))</td>"
            }
            return "<tr><th scope=\"row\" data-v=\"\(String(point.x))\">\(point.label)</th>\(cells)</tr>\n"
        }
        let reference: HTML? = chart.reference.map { " data-reference=\"\(String($0.value))\" data-reference-name=\"\($0.name)\"" }
        let note: HTML? = chart.reference.map { "<span class=\"reference\">\($0.name) \(Spelled.number($0.value))</span>" }
        return """
            <figure class="chart" data-axis="\(chart.axis.kind)"\(reference)\(chart.startsAtZero ? zero : nil)>
            <figcaption>\(chart.title)\(note)</figcaption>
            <div class="plot"></div>
            <details open><summary>As a table</summary><div class="scroll" role="region" aria-label="\(chart.title)" tabindex="0"><table><caption class="unseen">\(chart.title)</caption>
            <thead><tr>\(head)</tr></thead><tbody>
            \(body)</tbody></table></div></details>
            </figure>

            """
    }
}
