/// A filter of MLflow's search language: clauses joined by AND, each `identifier comparator value`. There is no OR, no NOT, no parenthesis
/// around clauses. Which identifiers exist, and how they may be compared, depends on what is searched (`SearchSubject`).
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

    package var clauses: [Clause]

    package init(clauses: [Clause] = []) { self.clauses = clauses }

    /// - Throws: `invalidArgument` that quotes the clause.
    package init(parsing text: String, for subject: SearchSubject) throws {
        var parser = SearchParser(text: text, subject: subject)
        self.init(clauses: try parser.filter())
    }

    package static let clausesMax = 100
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

    private static let plain = Kind.text(isIn: false, isNull: false)
    private static let listed = Kind.text(isIn: true, isNull: false)
    private static let nullable = Kind.text(isIn: false, isNull: true)

    package static let runs = SearchSubject(
        name: "runs",
        attributes: [
            "run_id": listed, "run_name": plain, "experiment_id": plain, "user_id": plain, "status": plain, "artifact_uri": plain,
            "lifecycle_stage": plain, "start_time": .number, "end_time": .number,
        ],
        aliases: ["run name": "run_name", "Run name": "run_name", "Run Name": "run_name", "created": "start_time", "Created": "start_time"],
        entities: [.metric: .number, .param: nullable, .tag: nullable, .dataset: listed], ordersByEntities: true)

    package static let experiments = SearchSubject(
        name: "experiments",
        attributes: ["name": plain, "experiment_id": listed, "creation_time": .number, "last_update_time": .number],
        aliases: [:], entities: [.tag: nullable], ordersByEntities: false)

    package static let registeredModels = SearchSubject(
        name: "registered models", attributes: ["name": plain, "creation_timestamp": .number, "last_updated_timestamp": .number], aliases: [:],
        entities: [.tag: plain], ordersByEntities: false, orderAliases: ["timestamp": "last_updated_timestamp"])

    package static let modelVersions = SearchSubject(
        name: "model versions",
        attributes: [
            "name": listed, "version_number": .number, "run_id": listed, "source_path": plain, "creation_timestamp": .number,
            "last_updated_timestamp": .number,
        ],
        aliases: [:], entities: [.tag: plain], ordersByEntities: false, orderAliases: ["timestamp": "last_updated_timestamp"],
        unorderable: ["run_id", "source_path"])

    package static let loggedModels = SearchSubject(
        name: "logged models",
        attributes: [
            "name": listed, "model_id": listed, "model_type": listed, "status": listed, "source_run_id": listed, "creation_timestamp": .number,
            "last_updated_timestamp": .number,
        ],
        aliases: ["creation_time": "creation_timestamp", "last_updated_time": "last_updated_timestamp"],
        entities: [.metric: .number, .param: nullable, .tag: nullable], ordersByEntities: true)

    static let datasetKeys: Set<String> = ["name", "digest", "context"]
}
