import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `POST /v1/traces`: spans from any OpenTelemetry exporter.
struct OTLPRoutes: Sendable {
    let realm: MLflowRealm

    init(realm: MLflowRealm) { self.realm = realm }

    /// Bytes of a body, packed and unpacked.
    static let bodyMax = 32 << 20

    func add(to router: MLflowRouter<some Any>) { router.raw(.post, "v1/traces", export) }

    private enum Header {
        static let experiment = HTTPField.Name("x-mlflow-experiment-id")!
        static let run = HTTPField.Name("x-mlflow-run-id")!
    }

    /// All spans are kept, or none. The answer is an empty export response in protobuf, whatever the request was written in.
    @Sendable private func export(_ request: Request, context: SlipwayContext) async throws -> Response {
        guard let experiment = request.headers[Header.experiment], !experiment.isEmpty else {
            return Self.refusal(.unprocessableContent, "The header X-Mlflow-Experiment-Id is missing: it says which experiment the traces belong to.")
        }
        let type = request.headers[.contentType]?.split(separator: ";").first?.trimmingCharacters(in: .whitespaces).lowercased()
        guard let type, ["application/x-protobuf", "application/json"].contains(type) else {
            return Self.refusal(
                .badRequest, "Invalid Content-Type: \(request.headers[.contentType]?.prefix(80) ?? "none"). Expected: application/x-protobuf or application/json")
        }
        var body = try await request.bodyBytes(upTo: Self.bodyMax)
        let exported: OTLPRequest
        do {
            if let encoding = request.headers[.contentEncoding] {
                let packed = body
                body = try await offload { try Inflated.bytes(packed, encoding: encoding, limit: Self.bodyMax) }
            }
            exported = type == "application/json" ? try OTLPRequest(json: body) : try OTLPRequest(protobuf: body)
        } catch is Inflated.Malformed {
            return Self.refusal(.badRequest, "Failed to decompress the payload")
        } catch is OTLPRequest.Malformed {
            return Self.refusal(.badRequest, "Invalid OpenTelemetry format")
        } catch is OTLPRequest.Unconvertible {
            return Self.refusal(.unprocessableContent, "Cannot convert OpenTelemetry span to MLflow span")
        }
        guard exported.hasResources else { return Self.refusal(.badRequest, "Invalid OpenTelemetry format - no spans found") }
        if !exported.spans.isEmpty {
            try await realm.tracking.logSpans(exported.spans, experiment: experiment, run: request.headers[Header.run].flatMap { $0.isEmpty ? nil : $0 }, by: context.caller)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-protobuf"])
    }

    /// `detail` is where exporters of MLflow's own server look.
    private static func refusal(_ status: HTTPResponse.Status, _ message: String) -> Response {
        var response = JSON.object { error in
            error.field("error_code", "INVALID_PARAMETER_VALUE")
            error.field("message", message)
            error.field("detail", message)
        }.response
        response.status = status
        return response
    }
}
