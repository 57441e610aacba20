import SlipwayCore
import Yams

/// Collects what is wrong with a YAML text, each with its line and the fix, so that one reading shows everything.
final class YAMLProblems {
    let name: String
    private(set) var reasons: [SlipwayError.Reason] = []
    static let max = 50

    init(name: String) { self.name = name }

    func add(_ node: Node?, _ message: String, fix: String) {
        guard reasons.count < Self.max else { return }
        let place = node?.mark.map { "\(name), line \($0.line): " } ?? "\(name): "
        reasons.append(SlipwayError.Reason(place + message, remedy: fix))
    }

    /// - Throws: `invalidArgument` with every problem, in the order of their lines.
    func throwIfAny() throws {
        guard let first = reasons.first else { return }
        if reasons.count == 1 { throw SlipwayError.invalid(first.message, remedy: first.remedy) }
        throw SlipwayError(.invalidArgument, "\(name) has \(reasons.count) problems.", reasons: reasons)
    }
}

/// One mapping of the file, read key by key. Every getter reports what does not fit and goes on with a stand-in.
struct YAMLMap {
    let node: Node
    /// For messages: `pipeline.train`.
    let path: String
    let problems: YAMLProblems
    private let mapping: Node.Mapping

    init?(_ node: Node, path: String, problems: YAMLProblems) {
        guard let mapping = node.mapping else {
            problems.add(node, "'\(path)' is not a mapping.", fix: "Write keys with values below it, such as '\(path.split(separator: ".").last ?? "key"): { … }'.")
            return nil
        }
        self.node = node
        self.path = path
        self.problems = problems
        self.mapping = mapping
    }

    var isEmpty: Bool { mapping.isEmpty }

    /// Key and value in the order of the file.
    var entries: [(key: String, keyNode: Node, value: Node)] {
        mapping.compactMap { key, value in
            guard let text = key.string else {
                problems.add(key, "A key below '\(path)' is not a text.", fix: "Use a plain name.")
                return nil
            }
            return (text, key, value)
        }
    }

    func allow(_ keys: String...) {
        for (key, keyNode, _) in entries where !keys.contains(key) {
            let near = keys.min { Self.distance(key, $0) < Self.distance(key, $1) }
            let hint = near.flatMap { Self.distance(key, $0) <= 2 ? "Did you mean '\($0)'?" : nil } ?? "Allowed: \(keys.joined(separator: ", "))."
            problems.add(keyNode, "Unknown key '\(at(key))'.", fix: hint)
        }
    }

    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func value(_ key: String) -> Node? {
        guard let value = mapping[Node(key)] else { return nil }
        if case .null = NullKind(value) { return nil }
        return value
    }

    private enum NullKind {
        case null, other
        init(_ node: Node) { self = node.scalar != nil && node.null != nil ? .null : .other }
    }

    func map(_ key: String) -> YAMLMap? { value(key).flatMap { YAMLMap($0, path: at(key), problems: problems) } }

    func require(_ key: String, example: String) -> Node? {
        if let value = value(key) { return value }
        problems.add(node, path.isEmpty ? "'\(key)' is missing." : "'\(path)' lacks '\(key)'.", fix: "Add: \(example)")
        return nil
    }

    func text(_ key: String) -> String? { value(key).flatMap { text($0, at: at(key)) } }

    func requiredText(_ key: String, example: String) -> String? { require(key, example: example).flatMap { text($0, at: at(key)) } }

    func text(_ node: Node, at path: String) -> String? {
        guard let text = node.scalar?.string else {
            problems.add(node, "'\(path)' is not a text.", fix: "Write one value after the colon.")
            return nil
        }
        return text
    }

    func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let node = value(key) else { return nil }
        guard let number = node.float ?? node.int.map(Double.init), range.contains(number) else {
            problems.add(
                node, "'\(at(key))' is not a number from \(Self.spell(range.lowerBound)) to \(Self.spell(range.upperBound)).",
                fix: "Write for instance: \(key): \(Self.spell(range.upperBound))")
            return nil
        }
        return number
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let node = value(key) else { return nil }
        guard let number = node.int, range.contains(number) else {
            problems.add(node, "'\(at(key))' is not a whole number from \(range.lowerBound) to \(range.upperBound).", fix: "Write for instance: \(key): \(range.lowerBound)")
            return nil
        }
        return number
    }

    func texts(_ key: String) -> [(text: String, node: Node)] {
        guard let node = value(key) else { return [] }
        guard let list = node.sequence else {
            problems.add(node, "'\(at(key))' is not a list.", fix: "Write: \(key): [\(node.scalar?.string ?? "…")]")
            return []
        }
        return list.compactMap { item in text(item, at: at(key)).map { ($0, item) } }
    }

    /// Converts with one of Core's parsers; its refusal becomes a problem at the node's line.
    func convert<T>(_ node: Node?, _ parse: (String) throws -> T) -> T? {
        guard let node, let text = node.scalar?.string else {
            if let node { problems.add(node, "A text was expected here.", fix: "Write one value after the colon.") }
            return nil
        }
        do {
            return try parse(text)
        } catch {
            let refusal = error as? SlipwayError
            problems.add(node, refusal?.message ?? "'\(text.prefix(80))' does not fit.", fix: refusal?.remedy ?? "See docs/project-file.md.")
            return nil
        }
    }

    private static func spell(_ number: Double) -> String { number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : "\(number)" }

    /// Levenshtein over at most 64 letters each.
    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.prefix(64)), right = Array(right.prefix(64))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let cost = a == b ? diagonal : min(diagonal, row[j], row[j + 1]) + 1
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[right.count]
    }
}
