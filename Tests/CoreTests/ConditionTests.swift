import SlipwayCore
import Testing

@Suite struct ConditionTests {
    @Test(
        "a condition holds by its arithmetic",
        arguments: [
            ("metrics.auc >= 0.65", true), ("metrics.auc >= 0.71", false), ("champion.auc - metrics.auc <= 0.01", true),
            ("metrics.auc * 2 - (0.1 + 1) > 0.29", true), ("metrics.auc > 0.5 and metrics.log_loss < 0.1", false),
            ("metrics.log_loss == 4e-1", true), ("-metrics.auc < 0", true), ("metrics.auc != 0.7", false),
        ])
    func holds(text: String, expected: Bool) throws {
        let verdict = try Condition(parsing: text).verdict(["auc": 0.7, "champion.auc": 0.705, "log_loss": 0.4])
        switch verdict {
        case .holds: #expect(expected)
        case .fails(let sentence): #expect(!expected); #expect(sentence.contains("auc = 0.7"))
        case .unknown(let names): Issue.record("unknown \(names)")
        }
    }

    @Test("a metric that the run lacks makes the verdict unknown, and NaN never holds")
    func missing() throws {
        let condition = try Condition(parsing: "champion.auc - metrics.auc <= 0.01")
        #expect(condition.metrics == ["auc", "champion.auc"])
        #expect(condition.verdict(["auc": 0.7]) == .unknown(["champion.auc"]))
        for text in ["metrics.auc >= 0", "metrics.auc < 0", "metrics.auc != 0"] {
            guard case .fails = try Condition(parsing: text).verdict(["auc": .nan]) else { Issue.record("\(text) held for NaN"); continue }
        }
    }

    @Test("a bound is a condition on the named metric")
    func bound() throws {
        let condition = try Condition(bound: ">= 0.60", on: "metrics.auc")
        #expect(condition.metrics == ["auc"])
        guard case .fails(let sentence) = condition.verdict(["auc": 0.5]) else { Issue.record("0.5 >= 0.6"); return }
        #expect(sentence == "metrics.auc >= 0.60 does not hold: auc = 0.5.")
    }

    @Test(
        "what cannot be read is quoted with an example",
        arguments: [
            "", "metrics.auc", "auc >= 0.5", "metrics.auc >=", "metrics.auc >= 0.5 0.6", "(metrics.auc >= 1", "metrics.auc >= 1.2.3", "metrics. > 1",
            "metrics.auc >= $(rm)", String(repeating: "(", count: 200) + "1 > 0",
        ])
    func unreadable(text: String) {
        #expect(throws: SlipwayError.self) { try Condition(parsing: text) }
    }
}
