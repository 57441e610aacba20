/// Reads MLflow's search language over the characters of one filter. The grammar:
///
///     filter     = [clause *("AND" clause)]
///     clause     = identifier (comparator literal / ["NOT"] "IN" "(" string *("," string) ")" / "IS" ["NOT"] "NULL")
///     identifier = [entity "."] (word / quoted)
///     order      = identifier ["ASC" / "DESC"]
struct SearchParser {
    private let subject: SearchSubject
    private let text: String
    private var tokens: [Token] = []
    private var lexError: SlipwayError?
    private var position = 0

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

    mutating func filter() throws -> [SearchFilter.Clause] {
        if let lexError { throw lexError }
        guard !tokens.isEmpty else { return [] }
        var clauses: [SearchFilter.Clause] = []
        while true {
            clauses.append(try clause())
            guard clauses.count <= SearchFilter.clausesMax else {
                throw SlipwayError.invalid("The filter has more than \(SearchFilter.clausesMax) clauses.", remedy: "Split the search.")
            }
            if position == tokens.count { return clauses }
            guard takeWord("AND") else { throw wrong("expected AND before '\(tokens[position].text.prefix(80))'") }
        }
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
            guard subject.attributes[key] != nil, !subject.unorderable.contains(key) else { throw unknownAttribute(key, "Invalid order_by") }
        case .dataset: throw SlipwayError.invalid("Invalid order_by entity 'dataset'.", remedy: "Order by metrics, params, tags or attributes.")
        case .metric, .param, .tag:
            guard subject.ordersByEntities else { throw SlipwayError.invalid("Invalid order_by clause '\(text.prefix(200))'.") }
        }
        return SearchOrder(entity: entity, key: key, isAscending: isAscending)
    }

    private mutating func clause() throws -> SearchFilter.Clause {
        let (entity, key) = try identifier(isOrder: false)
        let kind: SearchSubject.Kind
        switch entity {
        case .attribute:
            guard let found = subject.attributes[key] else { throw unknownAttribute(key, "Invalid attribute key") }
            kind = found
        case .dataset:
            guard SearchSubject.datasetKeys.contains(key) else {
                throw SlipwayError.invalid("Invalid dataset key '\(key.prefix(80))' in filter string.", remedy: "Datasets have name, digest and context.")
            }
            fallthrough
        default:
            guard let found = subject.entities[entity] else {
                throw SlipwayError.invalid("Invalid entity type '\(entity.rawValue)' in a search of \(subject.name).")
            }
            kind = found
        }
        let comparator = try comparator()
        try check(comparator, kind, key)
        return .init(entity: entity, key: key, comparator: comparator, value: try value(for: comparator, kind, key))
    }

    private func check(_ comparator: SearchComparator, _ kind: SearchSubject.Kind, _ key: String) throws {
        let isAllowed: Bool
        switch (kind, comparator) {
        case (.number, .equal), (.number, .notEqual), (.number, .greater), (.number, .greaterOrEqual), (.number, .less), (.number, .lessOrEqual): isAllowed = true
        case (.number, _): isAllowed = false
        case (.text, .equal), (.text, .notEqual), (.text, .like), (.text, .iLike): isAllowed = true
        case (.text(let isIn, _), .isIn), (.text(let isIn, _), .isNotIn): isAllowed = isIn
        case (.text(_, let isNull), .isNull), (.text(_, let isNull), .isNotNull): isAllowed = isNull
        case (.text, _): isAllowed = false
        }
        guard isAllowed else {
            throw SlipwayError.invalid("Invalid comparator '\(comparator.rawValue)' for '\(key.prefix(80))' in filter string: \(text.prefix(200))")
        }
    }

    private mutating func value(for comparator: SearchComparator, _ kind: SearchSubject.Kind, _ key: String) throws -> SearchValue {
        switch comparator {
        case .isNull, .isNotNull: return .none
        case .isIn, .isNotIn: return .texts(try list())
        default: break
        }
        guard position < tokens.count else { throw wrong("a value is missing after '\(key.prefix(80))'") }
        let token = tokens[position]
        position += 1
        switch (kind, token.kind) {
        case (.number, .number):
            guard let number = Double(token.text) else { throw wrong("'\(token.text.prefix(80))' is not a number") }
            return .number(number)
        case (.number, _): throw wrong("expected a number for '\(key.prefix(80))', not '\(token.text.prefix(80))'")
        case (.text, .quoted): return .text(token.text)
        case (.text, _): throw wrong("expected a quoted string for '\(key.prefix(80))', not '\(token.text.prefix(80))'")
        }
    }

    private mutating func list() throws -> [String] {
        guard takeSymbol("(") else { throw wrong("expected a list such as ('a', 'b')") }
        var values: [String] = []
        while position < tokens.count, case .quoted = tokens[position].kind {
            values.append(tokens[position].text)
            position += 1
            if takeSymbol(")") {
                guard values.count <= 1000 else { throw SlipwayError.invalid("A list in a filter has 1000 values at most.") }
                return values
            }
            guard takeSymbol(",") else { break }
        }
        throw wrong("expected a list of quoted strings such as ('a', 'b')")
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
        .invalid("Invalid clause(s) in filter string: \(text.prefix(200)) (\(why)).", remedy: "Write for instance: metrics.auc > 0.6 AND tags.owner = 'ada'")
    }

    private func unknownAttribute(_ key: String, _ what: String) -> SlipwayError {
        .invalid("\(what) '\(key.prefix(80))' specified in a search of \(subject.name).", remedy: "Keys: \(subject.attributes.keys.sorted().joined(separator: ", ")).")
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
