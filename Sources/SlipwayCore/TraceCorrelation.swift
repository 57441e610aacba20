import Foundation

/// How often two properties of traces come together.
package struct TraceCorrelation: Sendable, Hashable {
    package var one: Int
    package var other: Int
    package var both: Int
    package var all: Int

    package init(one: Int, other: Int, both: Int, all: Int) {
        self.one = one
        self.other = other
        self.both = both
        self.all = all
    }

    /// Normalised pointwise mutual information: −1 never together, 0 as chance has it, 1 always together; NaN when one of them never occurs.
    ///
    /// - Source: G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", 2009, section 3.
    package var npmi: Double { both == 0 && one > 0 && other > 0 && all > 0 ? -1 : npmi(adding: 0) }

    /// The same with half a count added to each cell of the table (Jeffreys' prior), for few traces.
    package var smoothed: Double { npmi(adding: 0.5) }

    private func npmi(adding prior: Double) -> Double {
        let cells = [both, one - both, other - both, all - one - other + both]
        guard all > 0, one > 0, other > 0, cells.allSatisfy({ $0 >= 0 }) else { return .nan }
        // Always together, and nothing else there is: the logarithm of one cannot be divided by.
        if cells[1...].allSatisfy({ $0 == 0 }) { return 1 }
        let counts = cells.map { Double($0) + prior }
        let total = counts.reduce(0, +)
        let information = log(counts[0] * total / ((counts[0] + counts[1]) * (counts[0] + counts[2])))
        return max(-1, min(1, information / -log(counts[0] / total)))
    }
}
