/// As MLflow spells it.
package enum TraceState: String, Sendable, Hashable, Codable, CaseIterable {
    case unspecified = "STATE_UNSPECIFIED"
    case ok = "OK"
    case error = "ERROR"
    case inProgress = "IN_PROGRESS"
}

/// One request to an application, as its client reports it; its steps are spans.
package struct Trace: Sendable, Hashable {
    /// `tr-` and 32 hexadecimal digits, unless the client chose another.
    package var id: String
    package var experiment: String
    package var project: ProjectName
    package var requestedAt: Timestamp
    /// Milliseconds; nil while it runs.
    package var duration: Int64?
    package var state: TraceState
    package var clientRequestID: String?
    package var requestPreview: String?
    package var responsePreview: String?
    /// The 32 hexadecimal digits that OpenTelemetry knows it by, once spans came that way.
    package var openTelemetryID: String?
    /// The realm's own short number of this trace.
    package var number: Int64

    package init(
        id: String, experiment: String, project: ProjectName, requestedAt: Timestamp, duration: Int64? = nil, state: TraceState, clientRequestID: String? = nil,
        requestPreview: String? = nil, responsePreview: String? = nil, openTelemetryID: String? = nil, number: Int64 = 0
    ) {
        self.id = id
        self.experiment = experiment
        self.project = project
        self.requestedAt = requestedAt
        self.duration = duration
        self.state = state
        self.clientRequestID = clientRequestID
        self.requestPreview = requestPreview
        self.responsePreview = responsePreview
        self.openTelemetryID = openTelemetryID
        self.number = number
    }
}

/// A trace with everything that belongs to it but its spans.
package struct TraceRecord: Sendable, Hashable {
    package var trace: Trace
    package var metadata: [String: String]
    package var tags: [String: String]
    package var assessments: [Assessment]

    package init(trace: Trace, metadata: [String: String] = [:], tags: [String: String] = [:], assessments: [Assessment] = []) {
        self.trace = trace
        self.metadata = metadata
        self.tags = tags
        self.assessments = assessments
    }

    /// Whether the spans lie in the database; else the client keeps them as an artifact.
    package var hasSpans: Bool { tags[TraceKey.spansLocation] == TraceKey.trackingStore }
}

/// Names that MLflow gives a meaning.
package enum TraceKey {
    // Tags.
    package static let artifactLocation = "mlflow.artifactLocation"
    package static let name = "mlflow.traceName"
    package static let spansLocation = "mlflow.trace.spansLocation"
    package static let trackingStore = "TRACKING_STORE"
    // Metadata.
    package static let sourceRun = "mlflow.sourceRun"
    package static let sizeStatistics = "mlflow.trace.sizeStats"
    package static let tokenUsage = "mlflow.trace.tokenUsage"
    package static let cost = "mlflow.trace.cost"
    package static let session = "mlflow.trace.session"
    package static let user = "mlflow.trace.user"
    /// The client has sent its own totals: spans that come later do not add to them.
    package static let isFinal = "mlflow.trace.infoFinalized"
    // Attributes of spans.
    package static let requestID = "mlflow.traceRequestId"
    package static let spanType = "mlflow.spanType"
    package static let inputs = "mlflow.spanInputs"
    package static let outputs = "mlflow.spanOutputs"
    package static let spanUsage = "mlflow.chat.tokenUsage"
    package static let spanCost = "mlflow.llm.cost"
    package static let model = "mlflow.llm.model"
    package static let provider = "mlflow.llm.provider"

    package static let usageParts = ["input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
    package static let costParts = ["input_cost", "output_cost", "total_cost"]
}

package enum SpanStatus: String, Sendable, Hashable, Codable {
    case unset = "UNSET"
    case ok = "OK"
    case error = "ERROR"
}

/// One step of a trace, as it arrives.
package struct Span: Sendable, Hashable {
    /// The trace's id as MLflow has it.
    package var trace: String
    /// 32 hexadecimal digits.
    package var openTelemetryTrace: String
    /// 16 hexadecimal digits.
    package var id: String
    package var parent: String?
    package var name: String
    package var status: SpanStatus
    package var statusMessage: String?
    /// Nanoseconds since 1970.
    package var startedAt: Int64
    package var endedAt: Int64?
    package var attributes: [String: JSONValue]
    package var events: [SpanEvent]

    package init(
        trace: String, openTelemetryTrace: String, id: String, parent: String?, name: String, status: SpanStatus, statusMessage: String?, startedAt: Int64,
        endedAt: Int64?, attributes: [String: JSONValue], events: [SpanEvent]
    ) {
        self.trace = trace
        self.openTelemetryTrace = openTelemetryTrace
        self.id = id
        self.parent = parent
        self.name = name
        self.status = status
        self.statusMessage = statusMessage
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.attributes = attributes
        self.events = events
    }
}

package struct SpanEvent: Sendable, Hashable {
    package var name: String
    /// Nanoseconds since 1970.
    package var at: Int64
    package var attributes: [String: JSONValue]

    package init(name: String, at: Int64, attributes: [String: JSONValue]) {
        self.name = name
        self.at = at
        self.attributes = attributes
    }
}

/// One step of a trace as it is kept: attributes (an object) and events (an array of `{name, at, attributes}`) are JSON texts.
package struct StoredSpan: Sendable, Hashable {
    package var id: String
    package var parent: String?
    package var name: String
    package var status: SpanStatus
    package var statusMessage: String?
    package var startedAt: Int64
    package var endedAt: Int64?
    package var attributes: String
    package var events: String

    package init(
        id: String, parent: String?, name: String, status: SpanStatus, statusMessage: String?, startedAt: Int64, endedAt: Int64?, attributes: String, events: String
    ) {
        self.id = id
        self.parent = parent
        self.name = name
        self.status = status
        self.statusMessage = statusMessage
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.attributes = attributes
        self.events = events
    }
}

/// What somebody, or something, thinks of a trace.
package struct Assessment: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable { case feedback, expectation, issue }

    package var id: String
    package var trace: String
    package var name: String
    package var kind: Kind
    /// Any JSON; of an issue, the object `{issue_name}`.
    package var value: JSONValue
    /// `{error_code, error_message, stack_trace}`, of feedback only.
    package var error: JSONValue?
    package var sourceType: String
    package var sourceID: String?
    package var run: String?
    package var span: String?
    package var rationale: String?
    /// The assessment that this one replaces, which is then not valid any more.
    package var overrides: String?
    package var isValid: Bool
    package var metadata: [String: String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, trace: String, name: String, kind: Kind, value: JSONValue, error: JSONValue? = nil, sourceType: String, sourceID: String? = nil, run: String? = nil,
        span: String? = nil, rationale: String? = nil, overrides: String? = nil, isValid: Bool = true, metadata: [String: String] = [:], createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.trace = trace
        self.name = name
        self.kind = kind
        self.value = value
        self.error = error
        self.sourceType = sourceType
        self.sourceID = sourceID
        self.run = run
        self.span = span
        self.rationale = rationale
        self.overrides = overrides
        self.isValid = isValid
        self.metadata = metadata
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// It was made for a whole conversation, so every trace of that session has it.
    package var isOfSession: Bool { metadata[TraceKey.session] != nil }
    /// A number to compute with: truth counts as 1.
    package var number: Double? {
        switch value {
        case .bool(let value): value ? 1 : 0
        default: value.double
        }
    }
}
