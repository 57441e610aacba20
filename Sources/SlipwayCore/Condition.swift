/// A rule over metrics as `slipway.yaml` and policies write it: `metrics.auc >= 0.65`, `champion.auc - metrics.auc <= 0.01`.
///
/// `metrics.NAME` is the metric NAME of the run, `champion.NAME` its metric `champion.NAME`. Sums, differences, products,
/// quotients and parentheses; one comparison, or several joined by `and`.
package struct Condition: Sendable, Hashable {
    package enum Verdict: Sendable, Hashable {
        /// The sentence says what was measured.
        case holds(String)
        case fails(String)
        /// Metrics that the run does not have, by their name in the run.
        case unknown([String])
    }

    package let text: String
    private let comparisons: [Comparison]

    /// - Throws: `invalidArgument` that quotes what does not fit and shows an example.
    package init(parsing text: String) throws {
        var parser = try ConditionParser(text)
        self.text = text
        comparisons = try parser.comparisons(about: nil)
    }

    /// Reads a bound on one metric, such as `>= 0.60`.
    package init(bound: String, on metric: String) throws {
        var parser = try ConditionParser(bound)
        text = "\(metric.contains(".") ? metric : "metrics.\(metric)") \(bound)"
        comparisons = try parser.comparisons(about: .metric(Self.runName(metric)))
    }

    /// The run's metrics that the rule reads, `auc` or `champion.auc`.
    package var metrics: Set<String> {
        comparisons.reduce(into: []) {
            $1.left.collect(&$0); $1.right.collect(&$0)
        }
    }

    /// - Parameter metrics: a run's latest metrics by name. A comparison with NaN never holds.
    package func verdict(_ metrics: [String: Double]) -> Verdict {
        let missing = self.metrics.filter { metrics[$0] == nil }.sorted()
        guard missing.isEmpty else { return .unknown(missing) }
        let measured = self.metrics.sorted().map { "\($0) = \(Self.spell(metrics[$0]!))" }.joined(separator: ", ")
        return comparisons.allSatisfy { $0.holds(metrics) }
            ? .holds("\(text): \(measured).") : .fails("\(text) does not hold: \(measured).")
    }

    static func runName(_ name: String) -> String { name.hasPrefix("metrics.") ? String(name.dropFirst("metrics.".count)) : name }

    /// Six significant digits are enough for a person; NaN and infinity by name.
    private static func spell(_ value: Double) -> String {
        guard value.isFinite, value != 0, abs(value) < 1e9 else { return "\(value)" }
        var scale = 1.0
        while abs(value) * scale < 100_000 { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }

    struct Comparison: Sendable, Hashable {
        enum Sign: String, Sendable, Hashable { case less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">=", equal = "==", unequal = "!=" }
        var left: Term
        var sign: Sign
        var right: Term

        func holds(_ metrics: [String: Double]) -> Bool {
            let left = left.value(metrics), right = right.value(metrics)
            guard !left.isNaN, !right.isNaN else { return false }
            return switch sign {
            case .less: left < right
            case .lessOrEqual: left <= right
            case .greater: left > right
            case .greaterOrEqual: left >= right
            case .equal: left == right
            case .unequal: left != right
            }
        }
    }

    indirect enum Term: Sendable, Hashable {
        case number(Double)
        case metric(String)
        case operation(Character, Term, Term)

        func value(_ metrics: [String: Double]) -> Double {
            switch self {
            case .number(let number): return number
            case .metric(let name): return metrics[name] ?? .nan
            case .operation(let sign, let left, let right):
                let left = left.value(metrics), right = right.value(metrics)
                return switch sign {
                case "+": left + right
                case "-": left - right
                case "*": left * right
                default: left / right
                }
            }
        }

        func collect(_ names: inout Set<String>) {
            switch self {
            case .number: break
            case .metric(let name): names.insert(name)
            case .operation(_, let left, let right): left.collect(&names); right.collect(&names)
            }
        }
    }
}

/// Recursive descent over at most 500 characters.
private struct ConditionParser {
    private enum Token: Equatable { case number(Double), name(String), sign(String) }

    private let text: String
    private var tokens: [Token] = []
    private var next = 0
    private var depth = 0

    init(_ text: String) throws {
        self.text = text
        guard text.utf8.count <= 500 else { throw SlipwayError.invalid("A condition has 500 characters at most.") }
        var rest = Substring(text)
        while let first = rest.first {
            if first == " " { rest.removeFirst(); continue }
            if first.isNumber || first == "." {
                let digits = Self.number(at: rest)
                guard let value = Double(digits) else { throw fault("'\(digits)' is not a number.") }
                tokens.append(.number(value))
                rest = rest.dropFirst(digits.count)
            } else if first.isLetter || first == "_" {
                let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
                tokens.append(.name(String(name)))
                rest = rest.dropFirst(name.count)
            } else if let sign = ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")"].first(where: { rest.hasPrefix($0) }) {
                tokens.append(.sign(sign))
                rest = rest.dropFirst(sign.count)
            } else {
                throw fault("'\(first)' does not belong there.")
            }
        }
    }

    private static func number(at text: Substring) -> Substring {
        let characters = Array(text)
        var end = 0
        while end < characters.count {
            let isExponentSign = (characters[end] == "-" || characters[end] == "+") && end > 0 && "eE".contains(characters[end - 1])
            guard characters[end].isNumber || ".eE".contains(characters[end]) || isExponentSign else { break }
            end += 1
        }
        return text.prefix(end)
    }

    /// - Parameter subject: the left side when the text has only the bound.
    mutating func comparisons(about subject: Condition.Term?) throws -> [Condition.Comparison] {
        var all: [Condition.Comparison] = []
        repeat {
            let left = if let subject { subject } else { try sum() }
            guard case .sign(let raw)? = peek, let sign = Condition.Comparison.Sign(rawValue: raw) else { throw fault("A comparison (<, <=, >, >=, ==, !=) is missing.") }
            next += 1
            all.append(Condition.Comparison(left: left, sign: sign, right: try sum()))
        } while take(.name("and"))
        guard peek == nil else { throw fault("Something is left over after the comparison.") }
        return all
    }

    private var peek: Token? { next < tokens.count ? tokens[next] : nil }

    private mutating func take(_ token: Token) -> Bool {
        guard peek == token else { return false }
        next += 1
        return true
    }

    private mutating func sum() throws -> Condition.Term {
        var left = try product()
        while case .sign(let sign)? = peek, sign == "+" || sign == "-" {
            next += 1
            left = .operation(Character(sign), left, try product())
        }
        return left
    }

    private mutating func product() throws -> Condition.Term {
        var left = try atom()
        while case .sign(let sign)? = peek, sign == "*" || sign == "/" {
            next += 1
            left = .operation(Character(sign), left, try atom())
        }
        return left
    }

    private mutating func atom() throws -> Condition.Term {
        depth += 1
        defer { depth -= 1 }
        guard depth < 50 else { throw fault("It is nested too deeply.") }
        guard let token = peek else { throw fault("It ends too early.") }
        next += 1
        switch token {
        case .number(let value): return .number(value)
        case .name(let name):
            guard name.hasPrefix("metrics.") || name.hasPrefix("champion."), name.last != "." else {
                throw fault("'\(name)' is neither metrics.NAME nor champion.NAME.")
            }
            return .metric(Condition.runName(name))
        case .sign("-"): return .operation("-", .number(0), try atom())
        case .sign("("):
            let inner = try sum()
            guard take(.sign(")")) else { throw fault("A ')' is missing.") }
            return inner
        case .sign(let sign): throw fault("'\(sign)' does not belong there.")
        }
    }

    private func fault(_ why: String) -> SlipwayError {
        SlipwayError.invalid("The condition '\(text.prefix(120))' cannot be read: \(why)", remedy: "Write for instance: metrics.auc >= 0.65")
    }
}
