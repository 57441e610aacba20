/// Reads a `TraceFilter`. The grammar:
///
///     filter = and *("OR" and)          and = not *("AND" not)          not = ["NOT"] (clause / "(" filter ")")
///     clause = identifier (comparator literal / ["NOT"] "IN" "(" string *("," string) ")" / "IS" ["NOT"] "NULL")
struct TraceParser {
    private let text: String
    private var tokens: [Token] = []
    private var position = 0
    private var clauses = 0

    private struct Token: Equatable {
        enum Kind: Equatable { case word, string, number, symbol }
        var kind: Kind
        var text: String
    }

    init(_ text: String) throws {
        self.text = text
        guard text.utf8.count <= 64_000 else { throw SlipwayError.invalid("The filter is longer than 64000 bytes.", remedy: "Split the search.") }
        tokens = try lex(Array(text))
    }

    mutating func filter() throws -> TraceFilter {
        guard !tokens.isEmpty else { return .all([]) }
        let filter = try or(depth: 0)
        guard position == tokens.count else { throw wrong("'\(tokens[position].text.prefix(80))' has no place here") }
        return filter
    }

    private mutating func or(depth: Int) throws -> TraceFilter {
        guard depth <= TraceFilter.depthMax else { throw SlipwayError.invalid("The filter is nested more than \(TraceFilter.depthMax) deep.") }
        var parts = [try and(depth: depth)]
        while takeWord("OR") { parts.append(try and(depth: depth)) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func and(depth: Int) throws -> TraceFilter {
        var parts = [try not(depth: depth)]
        while takeWord("AND") { parts.append(try not(depth: depth)) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func not(depth: Int) throws -> TraceFilter {
        guard depth <= TraceFilter.depthMax else { throw SlipwayError.invalid("The filter is nested more than \(TraceFilter.depthMax) deep.") }
        if takeWord("NOT") { return .not(try not(depth: depth + 1)) }
        if takeSymbol("(") {
            let inner = try or(depth: depth + 1)
            guard takeSymbol(")") else { throw wrong("a ) is missing") }
            return inner
        }
        return .clause(try clause())
    }

    private mutating func clause() throws -> TraceFilter.Clause {
        clauses += 1
        guard clauses <= TraceFilter.clausesMax else {
            throw SlipwayError.invalid("The filter has more than \(TraceFilter.clausesMax) clauses.", remedy: "Split the search.")
        }
        guard position < tokens.count, tokens[position].kind != .symbol, tokens[position].kind != .number else { throw wrong("an identifier is missing") }
        let name = tokens[position].text
        let field = try TraceField(parsing: name)
        position += 1
        let comparator = try comparator()
        try check(comparator, field, name)
        let value = try value(for: comparator, field, name)
        if case .prompt = field, case .text(let prompt) = value, prompt.split(separator: "/", omittingEmptySubsequences: false).count != 2 {
            throw SlipwayError.invalid("Invalid prompts filter value '\(prompt.prefix(200))'. Expected format: prompt = \"name/version\"")
        }
        return TraceFilter.Clause(field, comparator, value)
    }

    private func check(_ comparator: SearchComparator, _ field: TraceField, _ name: String) throws {
        guard !field.comparators.contains(comparator) else { return }
        if case .prompt = field {
            throw SlipwayError.invalid("Invalid comparator '\(comparator.rawValue)' for prompts filter. Only '=' is supported with format: prompt = \"name/version\"")
        }
        throw SlipwayError.invalid(
            "Invalid comparator '\(comparator.rawValue)' for '\(name.prefix(80))': not one of \(field.comparators.map(\.rawValue).sorted()).")
    }

    private mutating func value(for comparator: SearchComparator, _ field: TraceField, _ name: String) throws -> SearchValue {
        switch comparator {
        case .isNull, .isNotNull: return .none
        case .isIn, .isNotIn: return .texts(try list())
        default: break
        }
        guard position < tokens.count else { throw wrong("a value is missing after '\(name.prefix(80))'") }
        let token = tokens[position]
        position += 1
        let isOrder = [.greater, .greaterOrEqual, .less, .lessOrEqual].contains(comparator)
        switch token.kind {
        case .number, .string:
            if field.isNumber || isOrder {
                guard let number = Double(token.text), number.isFinite else { throw wrong("expected a number for '\(name.prefix(80))', not '\(token.text.prefix(80))'") }
                return .number(number)
            }
            if case .assessment = field, token.kind == .number, let number = Double(token.text), number.isFinite { return .number(number) }
            guard token.kind == .string else { break }
            if comparator == .rLike { _ = try RegularPattern(token.text) }
            return .text(token.text)
        case .word, .symbol: break
        }
        throw wrong("Expected a quoted string value for '\(name.prefix(80))' (e.g. 'my-value'). Got value \(token.text.prefix(80))")
    }

    private mutating func list() throws -> [String] {
        guard takeSymbol("(") else { throw wrong("expected a list such as ('a', 'b')") }
        var values: [String] = []
        while position < tokens.count, tokens[position].kind == .string {
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
        if takeWord("RLIKE") { return .rLike }
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
        .invalid("Invalid clause(s) in filter string: \(text.prefix(200)) (\(why)).", remedy: "Write for instance: trace.status = 'OK' AND tags.team = 'search'")
    }

    // MARK: Tokens

    private func lex(_ characters: [Character]) throws -> [Token] {
        var tokens: [Token] = []
        var index = 0
        while index < characters.count {
            let first = characters[index]
            if first.isWhitespace { index += 1; continue }
            if first == "'" || first == "\"" {
                let quoted = try quoted(characters, &index)
                // A quote that a key continues is the beginning of an identifier, which only backticks are for.
                tokens.append(Token(kind: .string, text: quoted))
            } else if first == "`" || first == "_" || first.isLetter {
                tokens.append(Token(kind: .word, text: try identifier(characters, &index)))
            } else if first.isASCII, first.isNumber || "+-.".contains(first) {
                let start = index
                index += 1
                while index < characters.count, characters[index].isASCII,
                    characters[index].isNumber || ".eE".contains(characters[index])
                        || ("+-".contains(characters[index]) && "eE".contains(characters[index - 1]))
                { index += 1 }
                tokens.append(Token(kind: .number, text: String(characters[start..<index])))
            } else {
                let pair = String(characters[index..<min(index + 2, characters.count)])
                let symbol = ["!=", ">=", "<="].contains(pair) ? pair : String(first)
                guard symbol.count == 2 || "=<>(),".contains(first) else { throw wrong("'\(first)' has no place here") }
                tokens.append(Token(kind: .symbol, text: symbol))
                index += symbol.count
            }
        }
        return tokens
    }

    /// Words joined by dots; a part in backticks or double quotes may hold anything.
    private func identifier(_ characters: [Character], _ index: inout Int) throws -> String {
        var name = ""
        while index < characters.count {
            let character = characters[index]
            if character == "`" || (character == "\"" && name.hasSuffix(".")) {
                let quoted = try quoted(characters, &index)
                name += "\(character)\(quoted)\(character)"
            } else if character == "_" || character == "." || character == "/" || character == "-" || character == ":" || character.isLetter || character.isNumber {
                name.append(character)
                index += 1
            } else {
                break
            }
        }
        return name
    }

    /// The text between quotes; a doubled quote stands for one.
    private func quoted(_ characters: [Character], _ index: inout Int) throws -> String {
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
        throw wrong("a \(quote) is not closed")
    }
}
