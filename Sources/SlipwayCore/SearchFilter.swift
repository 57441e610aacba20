/// A filter of MLflow's search language, and of a superset of it: clauses `identifier comparator value` joined by AND as in MLflow, and also by
/// OR, negated by NOT, grouped by parentheses. Which identifiers exist, and how they may be compared, depends on what is searched (`SearchSubject`).
///
/// NOT is what logic says: `NOT params.depth = '3'` holds for runs without that param, where `params.depth != '3'` asks for one that differs.
package struct SearchFilter: Sendable, Hashable {
    package struct Clause: Sendable, Hashable {
        package var entity: SearchEntity
        package var key: String
        package var comparator: SearchComparator
        package var value: SearchValue

        package init(entity: SearchEntity, key: String, comparator: SearchComparator, value: SearchValue) {
            self.entity = entity
            self.key = key
            self.comparator = comparator
            self.value = value
        }
    }

    package indirect enum Expression: Sendable, Hashable {
        case clause(Clause)
        case all([Expression])
        case any([Expression])
        case not(Expression)

        /// Every clause, wherever it stands.
        package var clauses: [Clause] {
            switch self {
            case .clause(let clause): [clause]
            case .all(let parts), .any(let parts): parts.flatMap(\.clauses)
            case .not(let part): part.clauses
            }
        }
    }

    package var expression: Expression

    package init(_ expression: Expression) { self.expression = expression }

    package init(clauses: [Clause] = []) { expression = .all(clauses.map { .clause($0) }) }

    /// - Throws: `invalidArgument` that quotes the clause.
    package init(parsing text: String, for subject: SearchSubject) throws {
        var parser = SearchParser(text: text, subject: subject)
        self.init(try parser.filter())
    }

    /// What has to hold one by one: the parts of a conjunction, else the whole.
    package var conjuncts: [Expression] {
        if case .all(let parts) = expression { parts } else { [expression] }
    }

    /// The clauses among the conjuncts.
    package var clauses: [Clause] {
        conjuncts.compactMap { part in if case .clause(let clause) = part { clause } else { nil } }
    }

    package static let clausesMax = 100
    package static let depthMax = 32
}

package struct SearchOrder: Sendable, Hashable {
    package var entity: SearchEntity
    package var key: String
    package var isAscending: Bool

    package init(entity: SearchEntity, key: String, isAscending: Bool) {
        self.entity = entity
        self.key = key
        self.isAscending = isAscending
    }

    /// Reads `metrics.auc DESC`. - Throws: `invalidArgument` that quotes the text.
    package init(parsing text: String, for subject: SearchSubject) throws {
        var parser = SearchParser(text: text, subject: subject)
        self = try parser.order()
    }

    /// Several at once; the same key twice is an error.
    package static func list(parsing texts: [String], for subject: SearchSubject) throws -> [SearchOrder] {
        let orders = try texts.map { try SearchOrder(parsing: $0, for: subject) }
        var seen: Set<String> = []
        for order in orders where !seen.insert("\(order.entity.rawValue).\(order.key)").inserted {
            throw SlipwayError.invalid("`order_by` contains duplicate fields: '\(order.key)'.")
        }
        return orders
    }
}

/// An order of logged models: a metric's may be restricted to a dataset.
package struct ModelOrder: Sendable, Hashable {
    package var order: SearchOrder
    package var dataset: String?
    package var digest: String?

    package init(order: SearchOrder, dataset: String? = nil, digest: String? = nil) {
        self.order = order
        self.dataset = dataset
        self.digest = digest
    }
}

package enum SearchEntity: String, Sendable, Hashable { case attribute, metric, param, tag, dataset }

package enum SearchComparator: String, Sendable, Hashable, CaseIterable {
    case equal = "="
    case notEqual = "!="
    case greater = ">"
    case greaterOrEqual = ">="
    case less = "<"
    case lessOrEqual = "<="
    case like = "LIKE"
    case iLike = "ILIKE"
    /// A regular expression, found anywhere; of traces only.
    case rLike = "RLIKE"
    case isIn = "IN"
    case isNotIn = "NOT IN"
    case isNull = "IS NULL"
    case isNotNull = "IS NOT NULL"
}

package enum SearchValue: Sendable, Hashable {
    case none
    case text(String)
    case number(Double)
    case texts([String])
    case numbers([Double])
}

/// What is searched: its attributes with their types, its entities, and which comparisons they allow.
package struct SearchSubject: Sendable {
    package enum Kind: Sendable, Hashable {
        /// `isIn`: IN and NOT IN are allowed; `isNull`: IS NULL and IS NOT NULL are allowed.
        case text(isIn: Bool, isNull: Bool)
        case number
    }

    package var name: String
    /// canonical key → kind
    package var attributes: [String: Kind]
    /// other spelling → canonical key
    package var aliases: [String: String]
    package var entities: [SearchEntity: Kind]
    /// What may be sorted by besides attributes.
    package var ordersByEntities: Bool
    package var orderAliases: [String: String] = [:]
    package var unorderable: Set<String> = []
    /// How MLflow begins the message for a filter that it cannot read; its clients look at it.
    package var complaint = "Invalid clause(s) in filter string"
    /// Likewise for an order's key.
    package var saysOrderKey = false

    private static let plain = Kind.text(isIn: false, isNull: false)
    private static let listed = Kind.text(isIn: true, isNull: false)
    private static let nullable = Kind.text(isIn: false, isNull: true)

    package static let runs = SearchSubject(
        name: "runs",
        attributes: [
            "run_id": listed, "run_name": plain, "user_id": plain, "status": plain, "artifact_uri": plain, "start_time": .number, "end_time": .number,
        ],
        aliases: ["run name": "run_name", "Run name": "run_name", "Run Name": "run_name", "created": "start_time", "Created": "start_time"],
        entities: [.metric: .number, .param: nullable, .tag: nullable, .dataset: listed], ordersByEntities: true)

    package static let experiments = SearchSubject(
        name: "experiments",
        attributes: ["name": plain, "experiment_id": listed, "creation_time": .number, "last_update_time": .number],
        aliases: [:], entities: [.tag: nullable], ordersByEntities: false)

    package static let registeredModels = SearchSubject(
        name: "registered models", attributes: ["name": plain, "creation_timestamp": .number, "last_updated_timestamp": .number], aliases: [:],
        entities: [.tag: plain], ordersByEntities: false, orderAliases: ["timestamp": "last_updated_timestamp"],
        unorderable: ["creation_timestamp"], saysOrderKey: true)

    package static let modelVersions = SearchSubject(
        name: "model versions",
        attributes: [
            "name": listed, "version_number": .number, "run_id": listed, "source_path": plain, "creation_timestamp": .number,
            "last_updated_timestamp": .number,
        ],
        aliases: [:], entities: [.tag: plain], ordersByEntities: false, orderAliases: ["timestamp": "last_updated_timestamp"],
        unorderable: ["run_id", "source_path"])

    package static let evaluationDatasets = SearchSubject(
        name: "datasets",
        attributes: [
            "name": listed, "dataset_id": listed, "digest": plain, "created_by": plain, "last_updated_by": plain, "created_time": .number, "last_update_time": .number,
        ],
        aliases: [:], entities: [.tag: plain], ordersByEntities: false)

    package static let issues = SearchSubject(
        name: "issues", attributes: ["status": plain, "source_run_id": plain], aliases: [:], entities: [:], ordersByEntities: false)

    package static let loggedModels = SearchSubject(
        name: "logged models",
        attributes: [
            "name": listed, "model_id": listed, "model_type": listed, "status": listed, "source_run_id": listed, "creation_timestamp": .number,
            "last_updated_timestamp": .number,
        ],
        aliases: ["creation_time": "creation_timestamp", "last_updated_time": "last_updated_timestamp"],
        entities: [.metric: .number, .param: nullable, .tag: nullable], ordersByEntities: true, complaint: "Invalid filter string")

    static let datasetKeys: Set<String> = ["name", "digest", "context"]
}
