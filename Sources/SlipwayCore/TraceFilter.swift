/// A filter of traces: MLflow's clauses joined by AND, and beyond it OR, NOT and parentheses.
///
/// Span clauses of one AND speak of the same span.
package indirect enum TraceFilter: Sendable, Hashable {
    /// Empty: everything.
    case all([TraceFilter])
    case any([TraceFilter])
    case not(TraceFilter)
    case clause(Clause)

    package struct Clause: Sendable, Hashable {
        package var field: TraceField
        package var comparator: SearchComparator
        package var value: SearchValue

        package init(_ field: TraceField, _ comparator: SearchComparator, _ value: SearchValue) {
            self.field = field
            self.comparator = comparator
            self.value = value
        }
    }

    /// - Throws: `invalidArgument` that quotes the clause.
    package init(parsing text: String) throws {
        var parser = try TraceParser(text)
        self = try parser.filter()
    }

    package static let clausesMax = 100
    package static let depthMax = 32
}

/// What a clause or an order speaks of.
package enum TraceField: Sendable, Hashable {
    case requestID, clientRequestID, experiment, status, timestamp, executionTime, endTime
    case tag(String), metadata(String)
    /// The run that it came from or was linked to.
    case run
    /// A linked prompt version, `name/version`.
    case prompt
    case span(SpanField)
    case assessment(Assessment.Kind, String)
    /// An issue that refers to the trace, by its id.
    case issue

    package enum SpanField: Sendable, Hashable {
        case name, type, status
        /// Anything in the span.
        case content
        case attribute(String)
    }

    /// Reads `entity.key`, as MLflow names it.
    /// - Throws: `invalidArgument` that quotes it.
    init(parsing text: String) throws {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let entity = parts.count == 1 ? "attribute" : Self.unquoted(parts[0])
        let key = Self.unquoted(parts.count == 1 ? parts[0] : parts[1])
        guard !key.isEmpty else { throw SlipwayError.invalid("A key is missing in '\(text.prefix(80))'.") }
        switch entity {
        case "attribute", "attributes", "attr", "trace":
            guard let field = Self.attributes[key] else {
                throw SlipwayError.invalid("Invalid attribute key '\(key.prefix(80))' specified. Valid keys are \(Self.attributes.keys.sorted()).")
            }
            self = field
        case "tag", "tags": self = .tag(key)
        case "metadata", "request_metadata": self = .metadata(key)
        case "span": self = .span(try Self.span(parts[1], key))
        case "feedback": self = .assessment(.feedback, key)
        case "expectation": self = .assessment(.expectation, key)
        case "issue":
            guard key == "id" else { throw SlipwayError.invalid("Invalid issue attribute '\(key.prefix(80))'. Supported attributes: id") }
            self = .issue
        default:
            throw SlipwayError.invalid(
                "Invalid entity type '\(entity.prefix(80))'. Valid values are attribute, trace, tag, metadata, span, feedback, expectation and issue.")
        }
    }

    private static func span(_ raw: String, _ key: String) throws -> SpanField {
        switch key {
        case "name": return .name
        case "type": return .type
        case "status": return .status
        case "content": return .content
        default: break
        }
        guard raw.hasPrefix("attributes.") else {
            throw SlipwayError.invalid("Invalid span attribute '\(key.prefix(80))'. Supported attributes: name, status, type, attributes.<attribute_name>.")
        }
        let name = unquoted(String(raw.dropFirst("attributes.".count)))
        guard !name.isEmpty else { throw SlipwayError.invalid("Span attribute name cannot be empty after 'attributes.'") }
        // The databases' `->>` takes these for paths.
        guard !name.contains("\""), !name.hasPrefix("$"), !name.hasPrefix("[") else {
            throw SlipwayError.invalid("Spans cannot be searched by the attribute '\(name.prefix(80))'.", remedy: "Names with a quote, or starting with $ or [, are not searched.")
        }
        return .attribute(name)
    }

    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, let first = text.first, "`\"'".contains(first), text.last == first else { return text }
        return String(text.dropFirst().dropLast())
    }

    private static let attributes: [String: TraceField] = [
        "request_id": .requestID, "trace_id": .requestID, "client_request_id": .clientRequestID, "status": .status, "state": .status,
        "timestamp": .timestamp, "timestamp_ms": .timestamp, "execution_time": .executionTime, "execution_time_ms": .executionTime,
        "end_time": .endTime, "end_time_ms": .endTime, "name": .tag(TraceKey.name), "run_id": .run, "prompt": .prompt, "text": .span(.content),
        "experiment_id": .experiment,
    ]

    var isNumber: Bool { [.timestamp, .executionTime, .endTime].contains(self) }

    /// What the field may be compared with.
    var comparators: Set<SearchComparator> {
        let texts: Set<SearchComparator> = [.equal, .notEqual, .isIn, .isNotIn, .like, .iLike, .rLike]
        switch self {
        case .timestamp, .executionTime, .endTime: return [.equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual]
        case .requestID, .clientRequestID, .experiment, .status: return texts
        case .tag, .metadata, .run: return texts.union([.isNull, .isNotNull])
        case .span(.content): return [.like, .iLike]
        case .span: return texts
        case .assessment: return texts.subtracting([.isIn, .isNotIn]).union([.isNull, .isNotNull, .greater, .greaterOrEqual, .less, .lessOrEqual])
        case .prompt, .issue: return [.equal]
        }
    }
}

package struct TraceOrder: Sendable, Hashable {
    package var field: TraceField
    package var isAscending: Bool

    package init(_ field: TraceField, isAscending: Bool) {
        self.field = field
        self.isAscending = isAscending
    }

    /// Several such as `timestamp_ms DESC`; the same field twice is an error.
    /// - Throws: `invalidArgument` that quotes the text.
    package static func list(parsing texts: [String]) throws -> [TraceOrder] {
        var seen: Set<TraceField> = []
        return try texts.map { text in
            let order = try TraceOrder(parsing: text)
            guard seen.insert(order.field).inserted else { throw SlipwayError.invalid("`order_by` contains duplicate fields: \(texts)") }
            return order
        }
    }

    private init(parsing text: String) throws {
        var words = text.split(whereSeparator: \.isWhitespace)
        var isAscending = true
        if words.count > 1, let last = words.last?.uppercased(), ["ASC", "DESC"].contains(last) {
            isAscending = last == "ASC"
            words.removeLast()
        }
        let name = words.joined(separator: " ")
        guard !name.isEmpty, words.count == 1 || name.contains("`") || name.contains("\"") else {
            throw SlipwayError.invalid("Invalid order_by clause '\(text.prefix(200))'.", remedy: "Write for instance 'timestamp_ms DESC'.")
        }
        let field = try TraceField(parsing: name)
        switch field {
        case .requestID, .experiment, .status, .timestamp, .executionTime, .endTime, .tag, .metadata, .run, .clientRequestID: break
        case .prompt, .span, .assessment, .issue: throw SlipwayError.invalid("Invalid order_by clause '\(text.prefix(200))': traces are not sorted by it.")
        }
        self.init(field, isAscending: isAscending)
    }
}
