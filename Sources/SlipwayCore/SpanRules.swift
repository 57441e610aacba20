/// What spans say about their trace.
package enum SpanRules {
    package static let previewMax = 1000

    /// `LLM`, `TOOL`, …; what other tracers call it is translated.
    package static func type(of span: Span) -> String {
        if let type = span.attributes[TraceKey.spanType]?.string, !type.isEmpty { return type }
        if let kind = span.attributes["openinference.span.kind"]?.string { return kind.uppercased() }
        if let operation = span.attributes["gen_ai.operation.name"]?.string { return operations[operation] ?? "UNKNOWN" }
        if let kind = span.attributes["traceloop.span.kind"]?.string { return loops[kind] ?? "UNKNOWN" }
        return "UNKNOWN"
    }

    private static let operations = [
        "chat": "CHAT_MODEL", "generate_content": "LLM", "text_completion": "LLM", "embeddings": "EMBEDDING", "execute_tool": "TOOL", "create_agent": "AGENT",
        "invoke_agent": "AGENT",
    ]
    private static let loops = ["workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL"]

    /// Adds what MLflow's own names say to a span of another tracer.
    package static func translated(_ span: Span) -> Span {
        var span = span
        let attributes = span.attributes
        for (name, others) in synonyms where attributes[name] == nil {
            if let found = others.lazy.compactMap({ attributes[$0] }).first { span.attributes[name] = found }
        }
        if attributes[TraceKey.spanType] == nil {
            let type = type(of: span)
            if type != "UNKNOWN" { span.attributes[TraceKey.spanType] = .string(type) }
        }
        if attributes[TraceKey.spanUsage] == nil, let usage = usage(ofOther: attributes) { span.attributes[TraceKey.spanUsage] = usage }
        return span
    }

    /// MLflow's name → what OpenInference, the GenAI conventions and Traceloop call it.
    private static let synonyms = [
        TraceKey.inputs: ["input.value", "gen_ai.input.messages", "traceloop.entity.input"],
        TraceKey.outputs: ["output.value", "gen_ai.output.messages", "traceloop.entity.output"],
        TraceKey.model: ["llm.model_name", "gen_ai.response.model", "gen_ai.request.model"],
        TraceKey.provider: ["llm.provider", "gen_ai.provider.name", "gen_ai.system"],
    ]

    private static func usage(ofOther attributes: [String: JSONValue]) -> JSONValue? {
        let names = [
            ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.total_tokens"),
            ("llm.token_count.prompt", "llm.token_count.completion", "llm.token_count.total"),
            ("gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens", "llm.usage.total_tokens"),
        ]
        for (input, output, total) in names {
            guard let input = attributes[input]?.int, let output = attributes[output]?.int else { continue }
            return ["input_tokens": .integer(input), "output_tokens": .integer(output), "total_tokens": .integer(attributes[total]?.int ?? input &+ output)]
        }
        return nil
    }

    /// Numbers by name out of an attribute or metadata: an object, or the text of one.
    package static func amounts(_ attribute: JSONValue?, _ names: [String]) -> [String: Double] {
        var value = attribute
        if let text = attribute?.string { value = try? CanonicalJSON.decode(JSONValue.self, from: text) }  // no JSON has no amounts
        guard let members = value?.object else { return [:] }
        var amounts: [String: Double] = [:]
        for name in names { if let amount = members[name]?.double, amount.isFinite { amounts[name] = amount } }
        return amounts
    }

    /// - Returns: an object; whole amounts are written as integers.
    package static func object(_ amounts: [String: Double], whole: Bool) -> JSONValue {
        .object(amounts.mapValues { whole && abs($0) < 9e15 ? .integer(Int64($0)) : .number($0) })
    }

    /// What a person reads in a list of traces: the last message of that role when the value is a conversation, else the value itself.
    package static func preview(_ value: JSONValue, role: String) -> String {
        let text = messages(in: value, depth: 0).flatMap { messages in
            (messages.last { $0["role"]?.string == role } ?? messages.last).flatMap(content)
        }
        let shown = text ?? value.text(.spaced)
        return shown.count <= previewMax ? shown : String(shown.prefix(previewMax - 3)) + "..."
    }

    private static func messages(in value: JSONValue, depth: Int) -> [JSONValue]? {
        guard depth < 4, let members = value.object else { return nil }
        for name in ["messages", "input", "output"] {
            if let list = members[name]?.array, !list.isEmpty { return list.filter(isMessage) }
        }
        if let message = members["choices"]?.array?.first?["message"], isMessage(message) { return [message] }
        return members["request"].flatMap { messages(in: $0, depth: depth + 1) }
    }

    private static func isMessage(_ value: JSONValue) -> Bool { value["role"] != nil && value["content"] != nil }

    private static func content(_ message: JSONValue) -> String? {
        switch message["content"] {
        case .string(let text) where !text.isEmpty: return text
        case .array(let parts):
            for part in parts {
                if let text = part.string { return text }
                if let type = part["type"]?.string, ["text", "output_text"].contains(type) { return part["text"]?.string }
            }
            return nil
        default: return nil
        }
    }
}
