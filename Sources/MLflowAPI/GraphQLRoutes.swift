import Foundation
import HTTPTypes
import Hummingbird
import Logging
import SlipwayCore
import SlipwayHTTP

/// `/graphql`: seven of the REST calls, for MLflow's own pages. Answers are 200 with `data` and `errors`, as GraphQL means it.
struct GraphQLRoutes: Sendable {
    let realm: MLflowRealm

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.raw(.post, "graphql", answer)
        router.raw(.get, "graphql", answer)
    }

    @Sendable private func answer(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = try await Fields(request, context: context)
        do {
            let query = try GraphQLQuery(parsing: fields.string("query") ?? "", operation: fields.string("operationName"))
            let execution = Execution(realm: realm, caller: context.caller, query: query, variables: try fields.message("variables")?.members ?? [:])
            let (data, errors) = await execution.run(logger: context.logger)
            return try Self.reply(data, errors)
        } catch let error as SlipwayError where error.code == .invalidArgument {
            return try Self.reply(.null, [error.message])
        }
    }

    private static func reply(_ data: JSONValue, _ errors: [String]) throws -> Response {
        let body = ["data": data, "errors": errors.isEmpty ? .null : .array(errors.map { .string($0) })] as JSONValue
        var json = Response.plain(try CanonicalJSON.text(body))
        json.headers[.contentType] = "application/json"
        return json
    }
}

/// One query on its way: each root field is a REST call whose answer is cut down to what was asked for.
private struct Execution: Sendable {
    let realm: MLflowRealm
    let caller: Caller
    let query: GraphQLQuery
    let variables: [String: JSONValue]

    func run(logger: Logger) async -> (data: JSONValue, errors: [String]) {
        var data: [String: JSONValue] = [:]
        var errors: [String] = []
        do {
            for field in try query.fields(query.selections) {
                do {
                    data[field.key] = try await root(field)
                } catch {
                    data[field.key] = .null
                    errors.append(SlipwayError(shown: error, logger: logger).message)
                }
            }
        } catch {
            return (.null, [SlipwayError(shown: error, logger: logger).message])
        }
        return (.object(data), errors)
    }

    private func root(_ field: GraphQLQuery.Field) async throws -> JSONValue {
        let input = field.arguments["input"]?.resolved(variables).object ?? [:]
        let fields = Fields(input)
        switch field.name {
        case "__typename": return .string(query.isMutation ? "Mutation" : "Query")
        case "test", "testMutation":
            let text = field.arguments["inputString"]?.resolved(variables) ?? .null
            return try await shape(.object(["output": text]), field, as: field.name == "test" ? "Test" : "TestMutation")
        case "mlflowGetExperiment": return try await shape(value(ExperimentRoutes(realm: realm).get(fields, caller: caller)), field, as: "GetExperimentResponse")
        case "mlflowGetRun": return try await shape(value(RunRoutes(realm: realm).get(fields, caller: caller)), field, as: "GetRunResponse")
        case "mlflowSearchRuns": return try await shape(value(RunRoutes(realm: realm).search(fields, caller: caller)), field, as: "SearchRunsResponse")
        case "mlflowListArtifacts": return try await shape(value(RunRoutes(realm: realm).listArtifacts(fields, caller: caller)), field, as: "ListArtifactsResponse")
        case "mlflowGetMetricHistoryBulkInterval":
            return try await shape(value(MetricRoutes(realm: realm).bulkInterval(fields, caller: caller)), field, as: "GetMetricHistoryBulkIntervalResponse")
        case "mlflowSearchDatasets":
            return try await shape(value(ExperimentRoutes(realm: realm).searchDatasets(fields, caller: caller)), field, as: "SearchDatasetsResponse")
        case "mlflowSearchModelVersions":
            return try await shape(value(RegistryRoutes(realm: realm).searchVersions(fields, caller: caller)), field, as: "SearchModelVersionsResponse")
        default: throw SlipwayError.invalid("Cannot query field '\(field.name.prefix(80))' on type '\(query.isMutation ? "Mutation" : "Query")'.")
        }
    }

    private func value(_ json: JSON) throws -> JSONValue { try JSONCursor.parse(Array(json.buffer.readableBytesView)) }

    private func shape(_ value: JSONValue, _ field: GraphQLQuery.Field, as type: String) async throws -> JSONValue {
        guard let kinds = GraphQLSchema.types[type] else { preconditionFailure("the schema lacks \(type)") }
        guard !field.selections.isEmpty else { throw SlipwayError.invalid("Field '\(field.name.prefix(80))' must have a selection of subfields.") }
        var shown: [String: JSONValue] = [:]
        for part in try query.fields(field.selections) {
            if part.name == "__typename" { shown[part.key] = .string("Mlflow\(type)"); continue }
            guard let kind = kinds[part.name] else { throw SlipwayError.invalid("Cannot query field '\(part.name.prefix(80))' on type 'Mlflow\(type)'.") }
            let below = try await related(part.name, to: value, in: type) ?? value[GraphQLSchema.wireName(part.name)]
            shown[part.key] = try await shape(below, part, as: kind)
        }
        return .object(shown)
    }

    private func shape(_ value: JSONValue?, _ field: GraphQLQuery.Field, as kind: GraphQLSchema.Kind) async throws -> JSONValue {
        switch kind {
        case .object("ApiError"): return .null
        case .object(let type): return try await shape(value ?? .object([:]), field, as: type)
        case .list(let element):
            var shown: [JSONValue] = []
            for item in value?.array ?? [] { shown.append(try await shape(item, field, as: element)) }
            return .array(shown)
        default:
            guard field.selections.isEmpty else { throw SlipwayError.invalid("Field '\(field.name.prefix(80))' must not have a selection: it has no subfields.") }
            return GraphQLSchema.shown(value, as: kind)
        }
    }

    /// What a run has besides its own fields.
    private func related(_ name: String, to value: JSONValue, in type: String) async throws -> JSONValue? {
        guard type == "Run", let info = value["info"] else { return nil }
        if name == "experiment", let id = info["experiment_id"] {
            return try await self.value(ExperimentRoutes(realm: realm).get(Fields(["experiment_id": id]), caller: caller))["experiment"]
        }
        if name == "modelVersions", let id = info["run_id"]?.string {
            let filter = "run_id = '\(id.replacing("'", with: "''"))'"
            return try await self.value(RegistryRoutes(realm: realm).searchVersions(Fields(["filter": .string(filter)]), caller: caller))["model_versions"]
        }
        return nil
    }
}
