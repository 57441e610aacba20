import SlipwayCore

/// A column of the run table, spelled as the search grammar does: `metrics.auc`.
package struct RunColumn: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case metric = "metrics"
        case param = "params"
        case tag = "tags"
        case attribute = "attributes"
    }

    package var kind: Kind
    package var key: String

    package init(_ kind: Kind, _ key: String) {
        self.kind = kind
        self.key = key
    }

    /// - Returns: nil for what no run has.
    package init?(_ text: String) {
        guard let dot = text.firstIndex(of: "."), let kind = Kind(rawValue: String(text[..<dot])) else { return nil }
        let key = String(text[text.index(after: dot)...])
        guard !key.isEmpty, key.count <= 250, !key.contains("`"), kind != .attribute || Self.attributes[key] != nil else { return nil }
        self.init(kind, key)
    }

    package var text: String { "\(kind.rawValue).\(key)" }
    /// As the grammar reads it, whatever the key is made of.
    var term: String { kind == .attribute ? text : "\(kind.rawValue).`\(key)`" }
    var title: String { kind == .attribute ? Self.attributes[key] ?? key : kind == .tag ? Self.tagTitles[key] ?? key : key }
    var isNumber: Bool { kind == .metric }
    /// Datasets are several, so nothing can be sorted by them.
    var isSortable: Bool { self != Self.inputs }

    static let name = RunColumn(.attribute, "run_name")
    static let status = RunColumn(.attribute, "status")
    static let started = RunColumn(.attribute, "start_time")
    static let inputs = RunColumn(.attribute, "datasets")
    /// Those that may be chosen; name, status and start are always there.
    static let choosable = ["user_id", "end_time", "run_id", "datasets"].map { RunColumn(.attribute, $0) }
    private static let attributes = [
        "run_name": "Run", "status": "Status", "start_time": "Started", "user_id": "By", "end_time": "Ended", "run_id": "Run id", "datasets": "Datasets",
    ]
    private static let tagTitles = ["mlflow.source.git.commit": "Commit", "mlflow.source.name": "Source", "mlflow.user": "User"]
}

/// What a run table shows, as its address says it.
package struct RunTableQuery: Sendable, Hashable {
    package var filter: String
    package var sort: RunColumn
    package var isAscending: Bool
    /// Nil for those that the table chooses itself.
    package var columns: [RunColumn]?
    package var view: LifecycleView
    package var from: Int

    static let rowsMax = 100
    static let columnsMax = 60

    package init(
        filter: String = "", sort: RunColumn = .init(.attribute, "start_time"), isAscending: Bool = false, columns: [RunColumn]? = nil, view: LifecycleView = .active,
        from: Int = 0
    ) {
        self.filter = filter
        self.sort = sort
        self.isAscending = isAscending
        self.columns = columns
        self.view = view
        self.from = from
    }

    init(_ fields: QueryFields) {
        let columns = fields.all("column").compactMap(RunColumn.init).prefix(Self.columnsMax)
        var seen: Set<RunColumn> = []
        self.init(
            filter: fields["filter"] ?? "", sort: fields["sort"].flatMap(RunColumn.init) ?? .started, isAscending: fields["order"] == "up",
            columns: columns.isEmpty && fields["chosen"] == nil ? nil : columns.filter { seen.insert($0).inserted },
            view: fields["view"] == "deleted" ? .deleted : fields["view"] == "all" ? .all : .active, from: fields.count("from"))
    }

    /// For the search: `["metrics.`auc` DESC"]`.
    var orderBy: [String] { ["\(sort.term) \(isAscending ? "ASC" : "DESC")"] }

    /// Without what is as usual, so that addresses stay short.
    package var fields: [(String, String?)] {
        var fields: [(String, String?)] = [("filter", filter.isEmpty ? nil : filter)]
        if sort != .started || isAscending { fields += [("sort", sort.text), ("order", isAscending ? "up" : "down")] }
        if let columns { fields += [("chosen", "1")] + columns.map { ("column", $0.text) } }
        if view != .active { fields.append(("view", view == .deleted ? "deleted" : "all")) }
        if from > 0 { fields.append(("from", String(from))) }
        return fields
    }

    /// The same table sorted by a column; by the same one again the other way round. Numbers begin with the greatest.
    func sorted(by column: RunColumn) -> RunTableQuery {
        var query = self
        query.isAscending = column == sort ? !isAscending : column.kind != .metric && column != .started
        query.sort = column
        query.from = 0
        return query
    }

    func at(_ from: Int) -> RunTableQuery {
        var query = self
        query.from = max(0, from)
        return query
    }
}
