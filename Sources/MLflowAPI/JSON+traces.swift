import Foundation
import SlipwayCore
import Tracking

extension JSON {
    mutating func traceInfo(_ record: TraceRecord) {
        let trace = record.trace
        field("trace_id", trace.id)
        field("client_request_id", trace.clientRequestID)
        field("trace_location") { location in
            location.field("type", "MLFLOW_EXPERIMENT")
            location.field("mlflow_experiment") { $0.field("experiment_id", trace.experiment) }
        }
        field("request_preview", trace.requestPreview)
        field("response_preview", trace.responsePreview)
        field("request_time", ProtoTime.timestamp(trace.requestedAt.milliseconds))
        field("execution_duration", trace.duration.map(ProtoTime.duration))
        field("state", trace.state.rawValue)
        map("trace_metadata", record.metadata)
        map("tags", record.tags)
        list("assessments", record.assessments) { $0.assessment($1) }
    }

    /// With its spans as OpenTelemetry's protobuf prints them.
    mutating func trace(_ record: TraceRecord, _ spans: [StoredSpan]) throws {
        field("trace_info") { $0.traceInfo(record) }
        let id = record.openTelemetryBytes.base64EncodedString()
        try list("spans", spans) { json, span in
            json.field("trace_id", id)
            json.field("span_id", Data(hex: span.id).base64EncodedString())
            json.field("parent_span_id", span.parent.map { Data(hex: $0).base64EncodedString() })
            json.field("name", span.name)
            json.field("start_time_unix_nano", span.startedAt)
            json.field("end_time_unix_nano", span.endedAt)
            json.json("attributes", Self.pairs(try span.members(record)))
            let events = try span.eventList().map { event -> JSONValue in
                [
                    "name": event["name"] ?? "", "time_unix_nano": event["at"] ?? 0,
                    "attributes": Self.pairs(event["attributes"]?.object ?? [:]),
                ]
            }
            if !events.isEmpty { json.json("events", .array(events)) }
            json.field("status") { status in
                status.field("message", span.statusMessage)
                status.field("code", "STATUS_CODE_\(span.status.rawValue)")
            }
        }
    }

    /// `{key, value}` messages of OpenTelemetry's `AnyValue`.
    private static func pairs(_ members: [String: JSONValue]) -> JSONValue {
        .array(members.sorted { $0.key < $1.key }.map { ["key": .string($0.key), "value": any($0.value)] })
    }

    private static func any(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null: [:]
        case .bool: ["bool_value": value]
        case .integer: ["int_value": value]
        case .number: ["double_value": value]
        case .string: ["string_value": value]
        case .array(let values): ["array_value": ["values": .array(values.map(any))]]
        case .object(let members): ["kvlist_value": ["values": pairs(members)]]
        }
    }

    /// As MLflow's own trace files have it, for its pages.
    static func traceFile(_ record: TraceRecord, _ spans: [StoredSpan]) throws -> JSONValue {
        let id = record.openTelemetryBytes.base64EncodedString()
        let list = try spans.map { span -> JSONValue in
            let events = try span.eventList().map { event -> JSONValue in
                ["name": event["name"] ?? "", "time_unix_nano": event["at"] ?? 0, "attributes": event["attributes"] ?? [:]]
            }
            return [
                "trace_id": .string(id), "span_id": .string(Data(hex: span.id).base64EncodedString()),
                "parent_span_id": span.parent.map { .string(Data(hex: $0).base64EncodedString()) } ?? .null, "name": .string(span.name),
                "start_time_unix_nano": .integer(span.startedAt), "end_time_unix_nano": span.endedAt.map { .integer($0) } ?? .null, "events": .array(events),
                "status": ["code": .string("STATUS_CODE_\(span.status.rawValue)"), "message": .string(span.statusMessage ?? "")],
                "attributes": .object(try span.members(record).mapValues { .string($0.text(.spaced)) }),
            ]
        }
        return ["spans": .array(list)]
    }

    mutating func assessment(_ assessment: Assessment) {
        field("assessment_id", assessment.id)
        field("assessment_name", assessment.name)
        field("trace_id", assessment.trace)
        field("span_id", assessment.span)
        field("source") { source in
            source.field("source_type", assessment.sourceType)
            source.field("source_id", assessment.sourceID)
        }
        field("create_time", ProtoTime.timestamp(assessment.createdAt.milliseconds))
        field("last_update_time", ProtoTime.timestamp(assessment.updatedAt.milliseconds))
        switch assessment.kind {
        case .feedback:
            field("feedback") { feedback in
                feedback.json("value", assessment.value)
                if let error = assessment.error { feedback.json("error", error) }
            }
        case .expectation:
            field("expectation") { expectation in
                switch assessment.value {
                case .array, .object:
                    expectation.field("serialized_value") { serialized in
                        serialized.field("serialization_format", "JSON_FORMAT")
                        serialized.field("value", assessment.value.text(.spaced))
                    }
                default: expectation.json("value", assessment.value)
                }
            }
        case .issue: json("issue", assessment.value)
        }
        field("rationale", assessment.rationale)
        map("metadata", assessment.metadata)
        field("overrides", assessment.overrides)
        field("valid", assessment.isValid)
    }

    /// As MLflow 2 has it.
    mutating func traceInfo2(_ record: TraceRecord) {
        let trace = record.trace
        field("request_id", trace.id)
        field("experiment_id", trace.experiment)
        field("timestamp_ms", trace.requestedAt.milliseconds)
        field("execution_time_ms", trace.duration)
        field("status", trace.state == .unspecified ? "TRACE_STATUS_UNSPECIFIED" : trace.state.rawValue)
        pairs("request_metadata", record.metadata)
        pairs("tags", record.tags)
    }
}

extension StoredSpan {
    /// The attributes, among them the one that names the trace.
    fileprivate func members(_ record: TraceRecord) throws -> [String: JSONValue] {
        guard case .object(var members) = try JSONCursor.parse(Array(attributes.utf8)) else { return [:] }
        members[TraceKey.requestID] = .string(record.trace.id)
        return members
    }

    fileprivate func eventList() throws -> [JSONValue] { events == "[]" ? [] : try JSONCursor.parse(Array(events.utf8)).array ?? [] }
}

extension TraceRecord {
    /// The 16 bytes of OpenTelemetry's id.
    fileprivate var openTelemetryBytes: Data { Data(hex: trace.openTelemetryID ?? "") }
}

extension Data {
    /// Pairs of hexadecimal digits that we wrote ourselves.
    fileprivate init(hex: String) {
        let digits = Array(hex.utf8)
        self.init(stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) })
    }
}
