/// Reads the search language over the characters of one filter. The grammar:
///
///     filter     = [either]
///     either     = both *("OR" both)
///     both       = one *("AND" one)
///     one        = "NOT" one / "(" either ")" / clause
///     clause     = identifier (comparator literal / ["NOT"] "IN" "(" literal *("," literal) [","] ")" / "IS" ["NOT"] "NULL")
///     identifier = [entity "."] (word / quoted)
///     order      = identifier ["ASC" / "DESC"]
struct SearchParser {
    private let subject: SearchSubject
    private let text: String
    private var tokens: [Token] = []
    private var lexError: SlipwayError?
    private var position = 0
    private var depth = 0
    private var clauseCount = 0

    private struct Token: Equatable {
        enum Kind: Equatable { case word, backquoted, quoted(Character), number, symbol }
        var kind: Kind
        var text: String
        /// No space before it, so that `metrics.` and a quoted key belong together.
        var isAttached: Bool
    }

    init(text: String, subject: SearchSubject) {
        self.text = text
        self.subject = subject
        do {
            tokens = try Self.lex(text)
        } catch let error as SlipwayError {
            lexError = error
        } catch {
            lexError = .invalid("Invalid filter.")
        }
    }

    // MARK: Grammar

    mutating func filter() throws -> SearchFilter.Expression {
        if let lexError { throw lexError }
        guard !tokens.isEmpty else { return .all([]) }
        let expression = try either()
        guard position == tokens.count else { throw wrong("expected AND or OR before '\(tokens[position].text.prefix(80))'") }
        if case .clause = expression { return .all([expression]) }
        return expression
    }

    private mutating func either() throws -> SearchFilter.Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= SearchFilter.depthMax else { throw SlipwayError.invalid("The filter nests deeper than \(SearchFilter.depthMax) levels.", remedy: "Write it flatter.") }
        var parts = [try both()]
        while takeWord("OR") { parts.append(try both()) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func both() throws -> SearchFilter.Expression {
        var parts = [try one()]
        while takeWord("AND") { parts.append(try one()) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func one() throws -> SearchFilter.Expression {
        if takeWord("NOT") {
            depth += 1
            defer { depth -= 1 }
            guard depth <= SearchFilter.depthMax else { throw wrong("too many NOTs") }
            return .not(try one())
        }
        if takeSymbol("(") {
            let expression = try either()
            guard takeSymbol(")") else { throw wrong("a parenthesis is not closed") }
            return expression
        }
        clauseCount += 1
        guard clauseCount <= SearchFilter.clausesMax else {
            throw SlipwayError.invalid("The filter has more than \(SearchFilter.clausesMax) clauses.", remedy: "Split the search.")
        }
        return .clause(try clause())
    }

    mutating func order() throws -> SearchOrder {
        if let lexError { throw SlipwayError.invalid("Invalid order_by clause '\(text.prefix(200))'.", remedy: lexError.remedy) }
        let (entity, raw) = try identifier(isOrder: true)
        let key = entity == .attribute ? subject.orderAliases[raw] ?? raw : raw
        var isAscending = true
        if takeWord("DESC") { isAscending = false } else { _ = takeWord("ASC") }
        guard position == tokens.count else {
            throw SlipwayError.invalid("Invalid order_by clause '\(text.prefix(200))'.", remedy: "Write for instance 'metrics.auc DESC'.")
        }
        switch entity {
        case .attribute:
            guard subject.attributes[key] != nil, !subject.unorderable.contains(key) else { throw unknownAttribute(key, isOrder: true) }
        case .dataset: throw SlipwayError.invalid("Invalid order_by entity 'dataset'.", remedy: "Order by metrics, params, tags or attributes.")
        case .metric, .param, .tag:
            guard subject.ordersByEntities else { throw SlipwayError.invalid("Invalid order_by clause '\(text.prefix(200))'.") }
        }
        return SearchOrder(entity: entity, key: key, isAscending: isAscending)
    }

    private mutating func clause() throws -> SearchFilter.Clause {
        let (entity, key) = try identifier(isOrder: false)
        let kind = try kind(of: entity, key)
        let comparator = try comparator()
        try check(comparator, kind, entity, key)
        return .init(entity: entity, key: key, comparator: comparator, value: try value(for: comparator, kind, entity, key))
    }

    private func kind(of entity: SearchEntity, _ key: String) throws -> SearchSubject.Kind {
        switch entity {
        case .attribute:
            guard let found = subject.attributes[key] else { throw unknownAttribute(key, isOrder: false) }
            return found
        case .dataset where !SearchSubject.datasetKeys.contains(key):
            throw SlipwayError.invalid("Invalid dataset key '\(key.prefix(80))' specified.", remedy: "Datasets have name, digest and context.")
        default:
            guard let found = subject.entities[entity] else { throw SlipwayError.invalid("Invalid entity type '\(entity.rawValue)' in a search of \(subject.name).") }
            return found
        }
    }

    private static let numeric: Set<SearchComparator> = [.equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual, .isIn, .isNotIn]
    private static let textual: Set<SearchComparator> = [.equal, .notEqual, .like, .iLike]

    private func check(_ comparator: SearchComparator, _ kind: SearchSubject.Kind, _ entity: SearchEntity, _ key: String) throws {
        let isNullTest = comparator == .isNull || comparator == .isNotNull
        let isAllowed: Bool
        switch kind {
        case .number: isAllowed = Self.numeric.contains(comparator)
        case .text(_, true) where isNullTest: isAllowed = true
        // A param may hold a number; whether it is meant as one, the literal says.
        case .text where entity == .param && isNumeric(at: position): isAllowed = Self.numeric.contains(comparator)
        case .text(let isIn, _): isAllowed = Self.textual.contains(comparator) || (isIn && (comparator == .isIn || comparator == .isNotIn))
        }
        if isAllowed { return }
        if isNullTest, subject.entities.values.contains(.text(isIn: false, isNull: true)) {
            let nullable = subject.entities[.param] == nil ? "tags" : "tags and params"
            throw SlipwayError.invalid("IS NULL / IS NOT NULL is only supported for \(nullable), not for '\(key.prefix(80))': \(text.prefix(200))")
        }
        throw SlipwayError.invalid(
            "Invalid comparator '\(comparator.rawValue)' for '\(key.prefix(80))' in filter string: \(text.prefix(200)). Invalid comparison operator for this kind of value.")
    }

    /// Whether a bare number, or a list that begins with one, stands there.
    private func isNumeric(at position: Int) -> Bool {
        guard position < tokens.count else { return false }
        if tokens[position].kind == .symbol, tokens[position].text == "(", position + 1 < tokens.count { return tokens[position + 1].kind == .number }
        return tokens[position].kind == .number
    }

    private mutating func value(
        for comparator: SearchComparator, _ kind: SearchSubject.Kind, _ entity: SearchEntity, _ key: String
    ) throws -> SearchValue {
        let wantsNumber = kind == .number || (entity == .param && isNumeric(at: position))
        switch comparator {
        case .isNull, .isNotNull: return .none
        case .isIn, .isNotIn: return wantsNumber ? .numbers(try numbers()) : .texts(try texts())
        default: break
        }
        guard position < tokens.count else { throw wrong("a value is missing after '\(key.prefix(80))'") }
        let token = tokens[position]
        position += 1
        switch (wantsNumber, token.kind) {
        case (true, .number): return .number(try number(token))
        case (true, _): throw wrong("expected a numeric value for '\(key.prefix(80))', not '\(token.text.prefix(80))'")
        case (false, .quoted): return .text(token.text)
        case (false, _):
            throw wrong("Parameter value is either not quoted or unidentified quote types used for string value \(token.text.prefix(80))")
        }
    }

    private func number(_ token: Token) throws -> Double {
        guard let number = Double(token.text) else { throw wrong("'\(token.text.prefix(80))' is not a number") }
        return number
    }

    private mutating func texts() throws -> [String] {
        try list { parser, token in
            guard case .quoted = token.kind else {
                throw parser.invalidList("expected string value, punctuation, or whitespace, but got different type in list", token.text)
            }
            return token.text
        }
    }

    private mutating func numbers() throws -> [Double] {
        try list { parser, token in
            guard token.kind == .number else { throw parser.invalidList("expected numbers, but got different type in list", token.text) }
            return try parser.number(token)
        }
    }

    /// `(a, b)`; a comma may follow the last, as Python prints a list of one.
    private mutating func list<Value>(_ value: (Self, Token) throws -> Value) throws -> [Value] {
        guard takeSymbol("(") else { throw wrong("expected a list such as ('a', 'b')") }
        guard !takeSymbol(")") else { throw invalidList("expected a non-empty list of string values, but got empty list", "()") }
        var values: [Value] = []
        while position < tokens.count {
            guard tokens[position].kind != .symbol else {
                throw invalidList("expected a non-empty list of string values, but got ill-formed list", tokens[position].text)
            }
            values.append(try value(self, tokens[position]))
            guard values.count <= 1000 else { throw SlipwayError.invalid("A list in a filter has 1000 values at most.") }
            position += 1
            let isMore = takeSymbol(",")
            if takeSymbol(")") { return values }
            guard isMore else { break }
        }
        throw wrong("expected a list such as ('a', 'b')")
    }

    private func invalidList(_ why: String, _ found: String) -> SlipwayError {
        .invalid("While parsing a list in the query, \(why): '\(found.prefix(80))' in \(text.prefix(200))")
    }

    private mutating func comparator() throws -> SearchComparator {
        guard position < tokens.count else { throw wrong("a comparison is missing") }
        if tokens[position].kind == .symbol, let comparator = SearchComparator(rawValue: tokens[position].text) {
            position += 1
            return comparator
        }
        if takeWord("LIKE") { return .like }
        if takeWord("ILIKE") { return .iLike }
        if takeWord("IN") { return .isIn }
        if takeWord("NOT") {
            guard takeWord("IN") else { throw wrong("expected IN after NOT") }
            return .isNotIn
        }
        if takeWord("IS") {
            let isNegated = takeWord("NOT")
            guard takeWord("NULL") else { throw wrong("expected NULL after IS") }
            return isNegated ? .isNotNull : .isNull
        }
        throw wrong("'\(tokens[position].text.prefix(80))' is not a comparison")
    }

    private mutating func identifier(isOrder: Bool) throws -> (SearchEntity, String) {
        guard position < tokens.count else { throw wrong("an identifier is missing") }
        let token = tokens[position]
        position += 1
        switch token.kind {
        case .backquoted, .quoted("\""): return (.attribute, canonical(token.text))
        case .word: break
        default: throw wrong("'\(token.text.prefix(80))' is not an identifier")
        }
        guard let dot = token.text.firstIndex(of: ".") else { return (.attribute, canonical(token.text)) }
        let prefix = String(token.text[..<dot])
        guard let entity = Self.entities[prefix] else {
            throw SlipwayError.invalid(
                "Invalid entity type '\(prefix.prefix(80))' in \(isOrder ? "order_by clause" : "filter string"): \(text.prefix(200))",
                remedy: "Entities are metrics, params, tags, attributes and datasets.")
        }
        var key = String(token.text[token.text.index(after: dot)...])
        if key.isEmpty {
            guard position < tokens.count, tokens[position].isAttached, tokens[position].kind == .backquoted || tokens[position].kind == .quoted("\"") else {
                throw wrong("a key is missing after '\(prefix).'")
            }
            key = tokens[position].text
            position += 1
        }
        guard !key.isEmpty else { throw wrong("a key is missing after '\(prefix).'") }
        return (entity, entity == .attribute ? canonical(key) : key)
    }

    private static let entities: [String: SearchEntity] = [
        "metrics": .metric, "metric": .metric, "params": .param, "param": .param, "parameters": .param, "parameter": .param,
        "tags": .tag, "tag": .tag, "attributes": .attribute, "attribute": .attribute, "attr": .attribute, "run": .attribute,
        "datasets": .dataset, "dataset": .dataset,
    ]

    private func canonical(_ key: String) -> String { subject.aliases[key] ?? key }

    private mutating func takeWord(_ word: String) -> Bool {
        guard position < tokens.count, tokens[position].kind == .word, tokens[position].text.uppercased() == word else { return false }
        position += 1
        return true
    }

    private mutating func takeSymbol(_ symbol: String) -> Bool {
        guard position < tokens.count, tokens[position].kind == .symbol, tokens[position].text == symbol else { return false }
        position += 1
        return true
    }

    private func wrong(_ why: String) -> SlipwayError {
        .invalid("\(subject.complaint): \(text.prefix(200)) (\(why)).", remedy: "Write for instance: metrics.auc > 0.6 AND tags.owner = 'ada'")
    }

    private func unknownAttribute(_ key: String, isOrder: Bool) -> SlipwayError {
        // `Foo` alone and `x = true` are no clauses at all.
        if !isOrder, position >= tokens.count { return wrong("a comparison is missing") }
        if !isOrder, position + 1 < tokens.count, tokens[position + 1].kind == .word, ["TRUE", "FALSE", "NULL"].contains(tokens[position + 1].text.uppercased()) {
            return wrong("'\(tokens[position + 1].text)' is no value")
        }
        return .invalid(
            "Invalid \(isOrder && subject.saysOrderKey ? "order by" : "attribute") key '\(key.prefix(80))' specified in a search of \(subject.name).",
            remedy: "Keys: \(subject.attributes.keys.sorted().joined(separator: ", ")).")
    }

    // MARK: Tokens

    private static func lex(_ text: String) throws -> [Token] {
        guard text.utf8.count <= 64_000 else { throw SlipwayError.invalid("The filter is longer than 64000 bytes.", remedy: "Split the search.") }
        let characters = Array(text)
        var tokens: [Token] = []
        var index = 0
        while index < characters.count {
            let first = characters[index]
            if first.isWhitespace { index += 1; continue }
            let isAttached = index > 0 && !characters[index - 1].isWhitespace
            if first == "'" || first == "\"" || first == "`" {
                let quoted = try quoted(characters, &index)
                tokens.append(Token(kind: first == "`" ? .backquoted : .quoted(first), text: quoted, isAttached: isAttached))
            } else if isWordStart(first) {
                let start = index
                while index < characters.count, isWordPart(characters[index]) { index += 1 }
                tokens.append(Token(kind: .word, text: String(characters[start..<index]), isAttached: isAttached))
            } else if first.isASCII, first.isNumber || "+-.".contains(first) {
                let start = index
                index += 1
                while index < characters.count, isNumberPart(characters[index], after: characters[index - 1]) { index += 1 }
                tokens.append(Token(kind: .number, text: String(characters[start..<index]), isAttached: isAttached))
            } else {
                tokens.append(Token(kind: .symbol, text: try symbol(characters, &index, in: text), isAttached: isAttached))
            }
        }
        return tokens
    }

    private static func symbol(_ characters: [Character], _ index: inout Int, in text: String) throws -> String {
        let pair = String(characters[index..<min(index + 2, characters.count)])
        if ["!=", ">=", "<="].contains(pair) { index += 2; return pair }
        guard "=<>(),".contains(characters[index]) else {
            throw SlipwayError.invalid("Invalid clause(s) in filter string: \(text.prefix(200)) ('\(characters[index])' has no place here).")
        }
        index += 1
        return String(characters[index - 1])
    }

    /// The text between quotes; a doubled quote stands for one.
    private static func quoted(_ characters: [Character], _ index: inout Int) throws -> String {
        let quote = characters[index]
        var value = ""
        index += 1
        while index < characters.count {
            if characters[index] == quote {
                guard index + 1 < characters.count, characters[index + 1] == quote else { index += 1; return value }
                index += 1
            }
            value.append(characters[index])
            index += 1
        }
        throw SlipwayError.invalid("Invalid clause(s) in filter string: a \(quote) is not closed.")
    }

    private static func isWordStart(_ character: Character) -> Bool { character == "_" || character.isLetter }
    private static func isWordPart(_ character: Character) -> Bool {
        character == "_" || character == "." || character == "/" || character.isLetter || character.isNumber
    }
    private static func isNumberPart(_ character: Character, after previous: Character) -> Bool {
        guard character.isASCII else { return false }
        return character.isNumber || character == "." || character == "e" || character == "E"
            || ((character == "-" || character == "+") && (previous == "e" || previous == "E"))
    }
}
