import Foundation
import SlipwayCore
import Yams

/// A dataset's checks file, read. The format is described in docs/data.md.
package struct DataChecks: Sendable, Hashable {
    package struct Bounds: Sendable, Hashable {
        package var min: String?
        package var max: String?
    }

    package struct Column: Sendable, Hashable {
        package var name: String
        package var severity: CheckOutcome.Result.Severity
        package var type: String?
        /// Share of rows that may lack a value.
        package var nulls: Double?
        package var bounds: Bounds?
        package var values: [String]?
        /// Every value must match the whole of it.
        package var pattern: String?
        package var isUnique: Bool
    }

    package struct Query: Sendable, Hashable {
        package var name: String
        package var severity: CheckOutcome.Result.Severity
        /// Finds the rows that break the rule.
        package var rows: String
    }

    package struct Table: Sendable, Hashable {
        /// Nil for the only table.
        package var name: String?
        package var severity: CheckOutcome.Result.Severity
        package var rows: (min: Int64?, max: Int64?)
        package var columns: [Column]
        /// Whether columns that are not listed are an error.
        package var isClosed: Bool
        package var unique: [[String]]

        package static func == (left: Self, right: Self) -> Bool {
            left.name == right.name && left.severity == right.severity && left.rows == right.rows && left.columns == right.columns
                && left.isClosed == right.isClosed && left.unique == right.unique
        }
        package func hash(into hasher: inout Hasher) {
            hasher.combine(name); hasher.combine(columns); hasher.combine(unique)
        }
    }

    package var tables: [Table]
    package var queries: [Query]

    /// - Throws: `invalidArgument` naming the line and the fix.
    package init(parsing bytes: [UInt8]) throws {
        guard bytes.count <= 1 << 20 else { throw SlipwayError.invalid("The checks file has more than 1 MiB.") }
        let root: Node?
        do {
            root = try Yams.compose(yaml: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw SlipwayError.invalid("The checks file is no YAML: \(error)", remedy: "See docs/data.md for an example.")
        }
        guard let root else { throw SlipwayError.invalid("The checks file is empty.", remedy: "See docs/data.md for an example.") }
        let top = try Reader(root, "the checks file")
        try top.allow(["severity", "rows", "columns", "closed", "unique", "tables", "sql"])
        let severity = try top.severity(or: .enforce)
        tables = []
        if top["rows"] != nil || top["columns"] != nil || top["unique"] != nil || top["closed"] != nil {
            tables.append(try Self.table(nil, top, severity))
        }
        for (name, node) in try top.members("tables") {
            let reader = try Reader(node, "table '\(name)'")
            try reader.allow(["severity", "rows", "columns", "closed", "unique"])
            tables.append(try Self.table(name, reader, try reader.severity(or: severity)))
        }
        queries = try top.list("sql").map { node in
            let reader = try Reader(node, "an entry of 'sql'")
            try reader.allow(["name", "rows", "severity"])
            guard let name = try reader.text("name"), let rows = try reader.text("rows") else {
                throw reader.fault("lacks 'name' or 'rows'", "Write: - { name: what must not be, rows: \"SELECT * FROM data WHERE …\" }")
            }
            return Query(name: name, severity: try reader.severity(or: severity), rows: rows)
        }
    }

    private static func table(_ name: String?, _ reader: Reader, _ severity: CheckOutcome.Result.Severity) throws -> Table {
        var rows: (min: Int64?, max: Int64?) = (nil, nil)
        if let node = reader["rows"] {
            let bounds = try Reader(node, "'rows'")
            try bounds.allow(["min", "max"])
            rows = (try bounds.number("min").map { Int64($0) }, try bounds.number("max").map { Int64($0) })
        }
        return Table(
            name: name, severity: severity, rows: rows, columns: try reader.members("columns").map { try column($0, $1, severity) },
            isClosed: try reader.flag("closed"), unique: try reader.list("unique").map { node in try Reader.texts(node, "'unique'") })
    }

    private static func column(_ name: String, _ node: Node, _ severity: CheckOutcome.Result.Severity) throws -> Column {
        let reader = try Reader(node, "column '\(name)'")
        try reader.allow(["type", "nulls", "min", "max", "values", "pattern", "unique", "severity"])
        let nulls = try reader.number("nulls")
        if let nulls, !(0...1).contains(nulls) { throw reader.fault("has nulls: \(nulls)", "Write a share of rows from 0 to 1, such as nulls: 0.02.") }
        let bounds = Bounds(min: try reader.text("min"), max: try reader.text("max"))
        return Column(
            name: name, severity: try reader.severity(or: severity), type: try reader.text("type")?.uppercased(), nulls: nulls,
            bounds: bounds.min == nil && bounds.max == nil ? nil : bounds, values: try reader["values"].map { try Reader.texts($0, "'values'") },
            pattern: try reader.text("pattern"), isUnique: try reader.flag("unique"))
    }
}

/// A mapping of the file, with errors that name the line.
private struct Reader {
    let what: String
    let mapping: Node.Mapping
    let line: Int

    init(_ node: Node, _ what: String) throws {
        self.what = what
        line = node.mark?.line ?? 1
        guard let mapping = node.mapping else {
            throw SlipwayError.invalid("Line \(line) of the checks file: \(what) is not a mapping.", remedy: "See docs/data.md for an example.")
        }
        self.mapping = mapping
    }

    subscript(key: String) -> Node? { mapping[key] }

    func fault(_ message: String, _ remedy: String, line: Int? = nil) -> SlipwayError {
        .invalid("Line \(line ?? self.line) of the checks file: \(what) \(message).", remedy: remedy)
    }

    func allow(_ keys: [String]) throws {
        for key in mapping.keys {
            guard let name = key.string, keys.contains(name) else {
                throw fault("has the unknown key '\(key.string?.prefix(80) ?? "?")'", "Known keys: \(keys.joined(separator: ", ")).", line: key.mark?.line)
            }
        }
    }

    func text(_ key: String) throws -> String? {
        guard let node = mapping[key] else { return nil }
        guard let scalar = node.scalar else { throw fault("has a '\(key)' that is no single value", "Write \(key): VALUE.", line: node.mark?.line) }
        return scalar.string
    }

    func number(_ key: String) throws -> Double? {
        guard let text = try text(key) else { return nil }
        guard let value = Double(text), value.isFinite else { throw fault("has \(key): '\(text.prefix(80))'", "Write a number.", line: mapping[key]?.mark?.line) }
        return value
    }

    func flag(_ key: String) throws -> Bool {
        guard let node = mapping[key] else { return false }
        guard let value = node.bool else { throw fault("has a '\(key)' that is neither true nor false", "Write \(key): true.", line: node.mark?.line) }
        return value
    }

    func severity(or standard: CheckOutcome.Result.Severity) throws -> CheckOutcome.Result.Severity {
        guard let text = try text("severity") else { return standard }
        guard let value = CheckOutcome.Result.Severity(rawValue: text) else {
            throw fault("has severity: '\(text.prefix(80))'", "Write enforce or warn.", line: mapping["severity"]?.mark?.line)
        }
        return value
    }

    func members(_ key: String) throws -> [(String, Node)] {
        guard let node = mapping[key] else { return [] }
        guard let inner = node.mapping else { throw fault("has '\(key)' that is not a mapping", "Write names with their rules below '\(key)'.", line: node.mark?.line) }
        return inner.map { ($0.key.string ?? "", $0.value) }
    }

    func list(_ key: String) throws -> [Node] {
        guard let node = mapping[key] else { return [] }
        guard let sequence = node.sequence else { throw fault("has '\(key)' that is no list", "Write entries that begin with '-'.", line: node.mark?.line) }
        return Array(sequence)
    }

    static func texts(_ node: Node, _ what: String) throws -> [String] {
        if let scalar = node.scalar { return [scalar.string] }
        let texts = node.sequence?.compactMap { $0.scalar?.string }
        guard let texts, let count = node.sequence?.count, texts.count == count, !texts.isEmpty else {
            throw SlipwayError.invalid("Line \(node.mark?.line ?? 1) of the checks file: \(what) holds no list of values.", remedy: "Write [first, second].")
        }
        return texts
    }
}
