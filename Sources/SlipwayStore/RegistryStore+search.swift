import SlipwayCore
import SlipwaySQL

extension RegistryStore {
    /// A filter clause on this tag is about MLflow's prompts, which live in the registry and are hidden unless asked for.
    private static let promptTag = "mlflow.prompt.is_prompt"

    /// - Parameter projects: those whose models may be seen; nil for all.
    package func searchModels(
        _ filter: SearchFilter, orderBy orders: [SearchOrder] = [], projects: Set<ProjectName>?, limit: Int, offset: Int = 0
    ) throws -> SearchPage<RegisteredModel> {
        var search = SearchSQL(table: Self.modelTable)
        if let projects { search.require("m.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        let (rest, wantsPrompts) = Self.splitPrompts(filter)
        if let wantsPrompts {
            search.require(
                (wantsPrompts ? "" : "NOT ") + "EXISTS (SELECT 1 FROM registered_model_tag p WHERE p.model_no = m.no AND p.key = '\(Self.promptTag)' AND p.value = 'true')")
        }
        search.require(rest)
        for order in orders { search.order(by: order) }
        if !orders.contains(where: { $0.key == "name" }) { search.orderFinally(by: "m.name") }
        let statement = search.statement("registry.searchModels", select: "SELECT m.* FROM registered_model m", limit: limit + 1, offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map(model), limit: limit)
    }

    package func searchVersions(
        _ filter: SearchFilter, orderBy orders: [SearchOrder] = [], projects: Set<ProjectName>?, limit: Int, offset: Int = 0
    ) throws -> SearchPage<ModelVersion> {
        var search = SearchSQL(table: Self.versionTable)
        search.require("v.lifecycle = 'active'")
        if let projects { search.require("m.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        let (rest, wantsPrompts) = Self.splitPrompts(filter)
        if let wantsPrompts {
            search.require(
                (wantsPrompts ? "" : "NOT ") + """
                    EXISTS (SELECT 1 FROM model_version_tag p WHERE p.model_no = v.model_no AND p.version = v.version AND p.key = '\(Self.promptTag)' AND p.value = 'true')
                    """)
        }
        search.require(rest)
        for order in orders { search.order(by: order) }
        if orders.isEmpty { search.orderFinally(by: "v.updated_at_ms DESC") }
        search.orderFinally(by: "m.name, v.version DESC")
        let statement = search.statement(
            "registry.searchVersions", select: "SELECT v.*, m.name, m.project FROM model_version v JOIN registered_model m ON m.no = v.model_no",
            limit: limit + 1, offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map(version), limit: limit)
    }

    /// Models by name. - Parameter projects: those whose models may be seen; nil for all.
    package func models(projects: Set<ProjectName>?, after: String? = nil, limit: Int) throws -> SearchPage<RegisteredModel> {
        var search = SearchSQL(table: Self.modelTable)
        search.require("m.name > \(search.bind(.text(after ?? "")))")
        if let projects { search.require("m.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        search.orderFinally(by: "m.name")
        let statement = search.statement("registry.models", select: "SELECT m.* FROM registered_model m", limit: limit + 1, offset: 0)
        return SearchPage(rows: try tx.all(statement, search.values).map(model), limit: limit)
    }

    /// `= 'true'` asks for prompts; any other clause on that tag says what holds anyway. Inside of an OR or NOT the clause means itself, and
    /// nothing is implied (nil).
    private static func splitPrompts(_ filter: SearchFilter) -> (SearchFilter, wantsPrompts: Bool?) {
        let isPrompt = { (clause: SearchFilter.Clause) in clause.entity == .tag && clause.key == promptTag }
        let wantsPrompts = filter.clauses.contains { isPrompt($0) && $0.comparator == .equal && $0.value == .text("true") }
        let rest = filter.conjuncts.filter { part in if case .clause(let clause) = part { !isPrompt(clause) } else { true } }
        let isNested = rest.contains { $0.clauses.contains(where: isPrompt) }
        return (SearchFilter(.all(rest)), isNested && !wantsPrompts ? nil : wantsPrompts)
    }

    private static let modelTable = SearchSQL.Table(
        columns: ["name": "m.name", "creation_timestamp": "m.created_at_ms", "last_updated_timestamp": "m.updated_at_ms"],
        exists: [.tag: "SELECT 1 FROM registered_model_tag e WHERE e.model_no = m.no AND e.key = {key} AND {test}"], scalar: [:])

    private static let versionTable = SearchSQL.Table(
        columns: [
            "name": "m.name", "version_number": "v.version", "run_id": "v.run_id", "source_path": "v.source", "creation_timestamp": "v.created_at_ms",
            "last_updated_timestamp": "v.updated_at_ms",
        ],
        exists: [.tag: "SELECT 1 FROM model_version_tag e WHERE e.model_no = v.model_no AND e.version = v.version AND e.key = {key} AND {test}"], scalar: [:])
}
