import SlipwayCore
import Yams

/// A value of a YAML document that knows where it stands, so that faults name the line and the key.
struct YAMLValue {
    let node: Node
    let path: String

    func fault(_ rule: String) -> SlipwayError {
        let line = node.mark.map { "Line \($0.line): " } ?? ""
        return SlipwayError.invalid("\(line)'\(path)' \(rule).", remedy: "Compare with the policies in share/slipway/policies.")
    }

    var isText: Bool { node.scalar != nil }

    func text() throws -> String {
        guard let text = node.scalar?.string else { throw fault("is a single value") }
        return text
    }

    func flag() throws -> Bool {
        guard let flag = node.bool else { throw fault("is true or false") }
        return flag
    }

    func count(in range: ClosedRange<Int>) throws -> Int {
        guard let count = node.int, range.contains(count) else { throw fault("is a whole number from \(range.lowerBound) to \(range.upperBound)") }
        return count
    }

    func number(in range: ClosedRange<Double>) throws -> Double {
        guard let number = node.float, range.contains(number) else { throw fault("is a number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// `0` alone is a duration too.
    func duration() throws -> DurationText {
        let text = try text()
        return try located { try DurationText(parsing: text == "0" ? "0s" : text) }
    }

    func list() throws -> [YAMLValue] {
        guard let list = node.sequence else { throw fault("is a list") }
        return list.enumerated().map { YAMLValue(node: $1, path: "\(path)[\($0)]") }
    }

    func map() throws -> YAMLMap { try YAMLMap(self) }

    /// Says where, for errors of parsers that do not know.
    func located<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as SlipwayError where !error.message.hasPrefix("Line ") {
            throw SlipwayError.invalid("Line \(node.mark?.line ?? 0): '\(path)': \(error.message)", remedy: error.remedy)
        }
    }
}

/// A mapping that is read key by key; keys that nobody asked for are an error.
struct YAMLMap {
    private let value: YAMLValue
    private var left: [String: YAMLValue] = [:]
    private var known: [String] = []

    init(document text: String) throws {
        do {
            guard let node = try Yams.compose(yaml: text) else { throw SlipwayError.invalid("The document is empty.") }
            try self.init(YAMLValue(node: node, path: ""))
        } catch let error as YamlError {
            throw SlipwayError.invalid("This is no YAML: \(error)")
        }
    }

    init(_ value: YAMLValue) throws {
        self.value = value
        guard let mapping = value.node.mapping else { throw value.fault("is a mapping of keys to values") }
        for (key, node) in mapping {
            guard let name = key.scalar?.string else { throw value.fault("has a key that is no text") }
            left[name] = YAMLValue(node: node, path: value.path.isEmpty ? name : "\(value.path).\(name)")
        }
    }

    mutating func required<T>(_ key: String, _ body: (YAMLValue) throws -> T) throws -> T {
        known.append(key)
        guard let found = left.removeValue(forKey: key) else { throw value.fault("lacks the key '\(key)'") }
        return try found.located { try body(found) }
    }

    mutating func optional(_ key: String, _ body: (YAMLValue) throws -> Void) throws {
        known.append(key)
        guard let found = left.removeValue(forKey: key), found.node.scalar?.string != "null" else { return }
        try body(found)
    }

    /// - Throws: `invalidArgument` for a key that nobody knows.
    func finish() throws {
        guard let stranger = left.keys.sorted().first, let found = left[stranger] else { return }
        throw SlipwayError.invalid(
            "Line \(found.node.mark?.line ?? 0): there is no key '\(found.path)'.", remedy: "Known here: \(known.joined(separator: ", ")).")
    }
}
