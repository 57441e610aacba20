import Foundation
import SlipwayCore

/// One operation of a GraphQL document: the part of the language that MLflow's pages and clients use (operations, variables, arguments, aliases,
/// fragments; directives are read and ignored).
struct GraphQLQuery: Sendable {
    struct Field: Sendable {
        var alias: String?
        var name: String
        var arguments: [String: Value] = [:]
        var selections: [Selection] = []
        /// What the answer calls it.
        var key: String { alias ?? name }
    }

    enum Selection: Sendable {
        case field(Field)
        case spread(String)
        case inline([Selection])
    }

    indirect enum Value: Sendable {
        case json(JSONValue)
        case variable(String)
        case list([Value])
        case object([String: Value])

        func resolved(_ variables: [String: JSONValue]) -> JSONValue {
            switch self {
            case .json(let value): value
            case .variable(let name): variables[name] ?? .null
            case .list(let values): .array(values.map { $0.resolved(variables) })
            case .object(let members): .object(members.mapValues { $0.resolved(variables) })
            }
        }
    }

    static let depthMax = 10
    static let selectionsMax = 1000
    static let rootFieldsMax = 10
    static let aliasesMax = 10

    var isMutation = false
    var selections: [Selection] = []
    private var fragments: [String: [Selection]] = [:]

    /// - Parameter name: of the wanted operation when the document has several.
    /// - Throws: `invalidArgument` with the sentence that goes into `errors`.
    init(parsing text: String, operation name: String?) throws {
        var parser = GraphQLParser(text)
        let document = try parser.document()
        fragments = document.fragments
        guard let chosen = document.operations.first(where: { name == nil || name == "" || $0.name == name }) else {
            throw SlipwayError.invalid("Unknown operation named '\(name?.prefix(80) ?? "")'.")
        }
        isMutation = chosen.isMutation
        selections = chosen.selections
        for operation in document.operations { try check(operation.selections) }
        for fragment in fragments.values { try check(fragment) }
    }

    private func check(_ selections: [Selection]) throws {
        var counts = (root: 0, all: 0, aliases: 0)
        try count(selections, depth: 1, &counts)
        guard counts.root <= Self.rootFieldsMax else { throw SlipwayError.invalid("GraphQL queries should have at most \(Self.rootFieldsMax) root fields, got \(counts.root).") }
        guard counts.aliases <= Self.aliasesMax else { throw SlipwayError.invalid("GraphQL queries should have at most \(Self.aliasesMax) aliases, got \(counts.aliases).") }
    }

    /// `aliases` are the most on one level.
    private func count(_ selections: [Selection], depth: Int, _ counts: inout (root: Int, all: Int, aliases: Int)) throws {
        guard depth <= Self.depthMax else { throw SlipwayError.invalid("Query exceeds maximum depth of \(Self.depthMax)") }
        var aliases = 0
        for selection in selections {
            guard case .field(let field) = selection else {
                if case .inline(let inner) = selection { try count(inner, depth: depth + 1, &counts) }
                continue
            }
            if depth == 1 { counts.root += 1 }
            if field.alias != nil { aliases += 1 }
            counts.all += 1
            guard counts.all <= Self.selectionsMax else { throw SlipwayError.invalid("Query exceeds maximum total selections of \(Self.selectionsMax)") }
            if !field.selections.isEmpty { try count(field.selections, depth: depth + 1, &counts) }
        }
        counts.aliases = max(counts.aliases, aliases)
    }

    /// The fields of a selection with its fragments spread out; nested deeper than the limit, or without end, they are refused.
    func fields(_ selections: [Selection], depth: Int = 0) throws -> [Field] {
        guard depth <= Self.depthMax else { throw SlipwayError.invalid("Query exceeds maximum depth of \(Self.depthMax)") }
        return try selections.flatMap { selection -> [Field] in
            switch selection {
            case .field(let field): return [field]
            case .inline(let inner): return try fields(inner, depth: depth + 1)
            case .spread(let name):
                guard let fragment = fragments[name] else { throw SlipwayError.invalid("Unknown fragment '\(name.prefix(80))'.") }
                return try fields(fragment, depth: depth + 1)
            }
        }
    }
}

/// Reads a GraphQL document token by token.
struct GraphQLParser {
    struct Operation {
        var name: String?
        var isMutation = false
        var selections: [GraphQLQuery.Selection]
    }

    private enum Token: Equatable {
        case name(String)
        case number(String)
        case string(String)
        case mark(Character)
        case spread
        case end
    }

    private let characters: [Character]
    private var index = 0
    private var token = Token.end
    private var depth = 0

    private static let bytesMax = 256 << 10
    /// Guards the stack; the queries' own limits are tighter.
    private static let nestingMax = 200

    init(_ text: String) { characters = Array(text.utf8.count <= Self.bytesMax ? text : "") }

    mutating func document() throws -> (operations: [Operation], fragments: [String: [GraphQLQuery.Selection]]) {
        var operations: [Operation] = []
        var fragments: [String: [GraphQLQuery.Selection]] = [:]
        try advance()
        while token != .end {
            switch token {
            case .mark("{"): operations.append(Operation(selections: try selections()))
            case .name("query"), .name("mutation"):
                let isMutation = token == .name("mutation")
                try advance()
                var operation = Operation(isMutation: isMutation, selections: [])
                if case .name(let name) = token { operation.name = name; try advance() }
                if token == .mark("(") { try skipParentheses() }
                try directives()
                operation.selections = try selections()
                operations.append(operation)
            case .name("fragment"):
                try advance()
                let name = try name()
                guard try self.name() == "on" else { throw wrong() }
                _ = try self.name()
                try directives()
                fragments[name] = try selections()
            default: throw wrong()
            }
        }
        guard !operations.isEmpty else { throw SlipwayError.invalid("Must provide query string.") }
        return (operations, fragments)
    }

    private mutating func selections() throws -> [GraphQLQuery.Selection] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.nestingMax else { throw SlipwayError.invalid("Query exceeds maximum depth of \(GraphQLQuery.depthMax)") }
        try expect("{")
        var found: [GraphQLQuery.Selection] = []
        while token != .mark("}") {
            if token == .spread {
                try advance()
                if case .name(let name) = token, name != "on" {
                    try advance()
                    try directives()
                    found.append(.spread(name))
                } else {
                    if token == .name("on") { try advance(); _ = try name() }
                    try directives()
                    found.append(.inline(try selections()))
                }
                continue
            }
            var field = GraphQLQuery.Field(name: try name())
            if token == .mark(":") { try advance(); field.alias = field.name; field.name = try name() }
            if token == .mark("(") { field.arguments = try members("(", ")") }
            try directives()
            if token == .mark("{") { field.selections = try selections() }
            found.append(.field(field))
        }
        try advance()
        return found
    }

    private mutating func members(_ open: Character, _ close: Character) throws -> [String: GraphQLQuery.Value] {
        try expect(open)
        var found: [String: GraphQLQuery.Value] = [:]
        while token != .mark(close) {
            let name = try name()
            try expect(":")
            found[name] = try value()
        }
        try advance()
        return found
    }

    private mutating func value() throws -> GraphQLQuery.Value {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.nestingMax else { throw wrong() }
        switch token {
        case .mark("$"):
            try advance()
            return .variable(try name())
        case .mark("["):
            try advance()
            var values: [GraphQLQuery.Value] = []
            while token != .mark("]") { values.append(try value()) }
            try advance()
            return .list(values)
        case .mark("{"): return .object(try members("{", "}"))
        case .string(let text):
            try advance()
            return .json(.string(text))
        case .number(let text):
            try advance()
            guard let value = try? JSONCursor.parse(Array(text.utf8)) else { throw wrong() }  // the sentence is the same
            return .json(value)
        case .name(let word):
            try advance()
            return .json(["true": .bool(true), "false": .bool(false), "null": .null][word] ?? .string(word))
        default: throw wrong()
        }
    }

    private mutating func directives() throws {
        while token == .mark("@") {
            try advance()
            _ = try name()
            if token == .mark("(") { _ = try members("(", ")") }
        }
    }

    /// Declarations of variables: their types are not looked at.
    private mutating func skipParentheses() throws {
        var open = 0
        repeat {
            if token == .mark("(") { open += 1 } else if token == .mark(")") { open -= 1 } else if token == .end { throw wrong() }
            try advance()
        } while open > 0
    }

    // MARK: Tokens

    private mutating func name() throws -> String {
        guard case .name(let name) = token else { throw wrong() }
        try advance()
        return name
    }

    private mutating func expect(_ mark: Character) throws {
        guard token == .mark(mark) else { throw wrong() }
        try advance()
    }

    private mutating func advance() throws {
        skipSpace()
        guard index < characters.count else { token = .end; return }
        let first = characters[index]
        if first == "_" || (first.isASCII && first.isLetter) {
            token = .name(take { $0 == "_" || ($0.isASCII && ($0.isLetter || $0.isNumber)) })
        } else if first == "-" || (first.isASCII && first.isNumber) {
            token = .number(take { $0.isASCII && ($0.isNumber || "+-.eE".contains($0)) })
        } else if first == "\"" {
            token = .string(try string())
        } else if first == ".", index + 2 < characters.count, characters[index + 1] == ".", characters[index + 2] == "." {
            index += 3
            token = .spread
        } else {
            index += 1
            token = .mark(first)
        }
    }

    private mutating func skipSpace() {
        while index < characters.count {
            if characters[index] == "#" {
                while index < characters.count, !characters[index].isNewline { index += 1 }
            } else if characters[index].isWhitespace || characters[index] == "," || characters[index] == "\u{FEFF}" {
                index += 1
            } else {
                return
            }
        }
    }

    private mutating func take(_ isPart: (Character) -> Bool) -> String {
        let start = index
        while index < characters.count, isPart(characters[index]) { index += 1 }
        return String(characters[start..<index])
    }

    /// Escapes are JSON's, so the JSON reader reads it.
    private mutating func string() throws -> String {
        let start = index
        index += 1
        while index < characters.count, characters[index] != "\"" { index += characters[index] == "\\" ? 2 : 1 }
        guard index < characters.count else { throw wrong() }
        index += 1
        guard case .string(let text)? = try? JSONCursor.parse(Array(String(characters[start..<index]).utf8)) else { throw wrong() }  // the sentence is the same
        return text
    }

    private func wrong() -> SlipwayError {
        let seen = String(characters[max(0, index - 10)..<min(characters.count, index)])
        return .invalid("Syntax Error: unexpected token near '\(seen)'.")
    }
}
