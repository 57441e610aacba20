import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore

extension DataChecks {
    /// One question to DuckDB: how many rows break the rule, and which.
    struct Question: Sendable {
        var name: String
        var severity: CheckOutcome.Result.Severity
        /// A FROM-able text that gives the rows which break the rule.
        var broken: String
        /// What is said of `n` broken rows of `total`.
        var says: @Sendable (_ broken: Int64, _ total: Int64) -> String
        var holds: @Sendable (_ broken: Int64, _ total: Int64) -> Bool = { broken, _ in broken == 0 }
        var table: String?
    }

    /// What can be said from the schema alone, and what DuckDB must be asked.
    func questions(of tables: [DataTable]) -> (settled: [CheckOutcome.Result], open: [Question]) {
        var settled: [CheckOutcome.Result] = []
        var open: [Question] = []
        for rule in self.tables {
            guard let table = rule.name.map({ name in tables.first { $0.name == name } }) ?? (tables.count == 1 ? tables[0] : tables.first { $0.name == "data" }) else {
                let known = tables.map(\.name).joined(separator: ", ")
                settled.append(
                    .init(
                        name: "table \(rule.name ?? "data")", severity: rule.severity, holds: false,
                        message: "there is no table '\(rule.name ?? "data")' (tables: \(known.isEmpty ? "none" : known))"))
                continue
            }
            settled += Self.rows(rule, table)
            let types = Dictionary(table.columns.map { ($0.name.lowercased(), $0) }) { first, _ in first }
            for column in rule.columns {
                guard let found = types[column.name.lowercased()] else {
                    settled.append(.init(name: "column \(column.name)", severity: column.severity, holds: false, message: "the column '\(column.name)' is missing"))
                    continue
                }
                if let type = column.type {
                    settled.append(
                        .init(
                            name: "type of \(column.name)", severity: column.severity, holds: found.type.uppercased() == type,
                            message: "the type is \(found.type), expected \(type)"))
                }
                open += Self.questions(column, type: found.type, table: table.name)
            }
            if rule.isClosed {
                let listed = Set(rule.columns.map { $0.name.lowercased() })
                let extra = table.columns.map(\.name).filter { !listed.contains($0.lowercased()) }
                settled.append(
                    .init(
                        name: "columns of \(table.name)", severity: rule.severity, holds: extra.isEmpty,
                        message: extra.isEmpty ? "every column is listed" : "columns that are not listed: \(extra.joined(separator: ", "))"))
            }
            open += rule.unique.map { Self.unique($0, severity: rule.severity, table: table.name) }
        }
        return (settled, open)
    }

    private static func rows(_ rule: Table, _ table: DataTable) -> [CheckOutcome.Result] {
        guard rule.rows.min != nil || rule.rows.max != nil else { return [] }
        let holds = table.rows >= rule.rows.min ?? .min && table.rows <= rule.rows.max ?? .max
        let wanted = [rule.rows.min.map { "at least \($0)" }, rule.rows.max.map { "at most \($0)" }].compactMap(\.self).joined(separator: ", ")
        return [.init(name: "rows of \(table.name)", severity: rule.severity, holds: holds, message: "\(table.rows) rows, expected \(wanted)")]
    }

    private static func questions(_ column: Column, type: String, table: String) -> [Question] {
        let name = DuckDB.identifier(column.name)
        let from = "SELECT * FROM \(DuckDB.identifier(table)) WHERE "
        var questions: [Question] = []
        if let nulls = column.nulls {
            questions.append(
                Question(
                    name: "nulls of \(column.name)", severity: column.severity, broken: from + "\(name) IS NULL",
                    says: { broken, total in "\(percent(broken, total)) of rows lack a value, at most \(percent(nulls)) may" },
                    holds: { broken, total in Double(broken) <= nulls * Double(total) }, table: table))
        }
        if let bounds = column.bounds {
            let quoted = TableFolder.isInteger(type) ? "DOUBLE" : type
            let conditions = [
                bounds.min.map { "\(name) < CAST(\(DuckDB.literal($0)) AS \(quoted))" }, bounds.max.map { "\(name) > CAST(\(DuckDB.literal($0)) AS \(quoted))" },
            ].compactMap(\.self)
            let wanted = [bounds.min.map { "from \($0)" }, bounds.max.map { "to \($0)" }].compactMap(\.self).joined(separator: " ")
            questions.append(
                Question(
                    name: "range of \(column.name)", severity: column.severity, broken: from + conditions.joined(separator: " OR "),
                    says: { broken, _ in "\(broken) rows lie outside \(wanted)" }, table: table))
        }
        if let values = column.values {
            questions.append(
                Question(
                    name: "values of \(column.name)", severity: column.severity,
                    broken: from + "\(name) IS NOT NULL AND CAST(\(name) AS VARCHAR) NOT IN (\(values.map(DuckDB.literal).joined(separator: ", ")))",
                    says: { broken, _ in "\(broken) rows hold another value than the \(values.count) listed" }, table: table))
        }
        if let pattern = column.pattern {
            questions.append(
                Question(
                    name: "pattern of \(column.name)", severity: column.severity,
                    broken: from + "\(name) IS NOT NULL AND NOT regexp_full_match(CAST(\(name) AS VARCHAR), \(DuckDB.literal(pattern)))",
                    says: { broken, _ in "\(broken) rows do not match \(pattern)" }, table: table))
        }
        if column.isUnique { questions.append(unique([column.name], severity: column.severity, table: table)) }
        return questions
    }

    private static func unique(_ columns: [String], severity: CheckOutcome.Result.Severity, table: String) -> Question {
        let names = columns.map(DuckDB.identifier).joined(separator: ", ")
        return Question(
            name: "unique \(columns.joined(separator: ", "))", severity: severity,
            broken: "SELECT \(names), count(*) AS rows FROM \(DuckDB.identifier(table)) GROUP BY \(names) HAVING count(*) > 1",
            says: { broken, _ in "\(broken) values appear more than once" }, table: table)
    }

    private static func percent(_ part: Int64, _ total: Int64) -> String { percent(total == 0 ? 0 : Double(part) / Double(total)) }
    private static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
}

extension DataChecks {
    static let sampleMax = 5

    /// Asks every question. A query of the project's own runs alone, so that a mistake in it is told of it and not of its neighbours.
    /// - Throws: what DuckDB says of a question that cannot be asked.
    func evaluate(_ tables: [DataTable], in folder: TableFolder, _ duckDB: DuckDB) async throws -> [CheckOutcome.Result] {
        let (settled, open) = questions(of: tables)
        let views = folder.views(tables)
        var results = settled
        let counts =
            open.isEmpty
            ? []
            : try await duckDB.answers(
                views + open.map { "SELECT count(*) AS n FROM (\($0.broken));" }.joined(separator: "\n"), in: [folder.folder])
        guard counts.count == open.count else { throw SlipwayError.fault("DuckDB gave \(counts.count) answers to \(open.count) checks.") }
        for (question, count) in zip(open, counts) {
            let broken = count.first?.int("n") ?? 0
            let total = tables.first { $0.name == question.table }?.rows ?? 0
            results.append(try await result(question, broken, total, views, folder, duckDB))
        }
        for query in queries {
            let subquery = try DuckDB.subquery(query.rows)
            let question = Question(
                name: query.name, severity: query.severity, broken: subquery, says: { broken, _ in broken == 0 ? "no row breaks it" : "\(broken) rows break it" })
            do {
                let count = try await duckDB.rows(views + "SELECT count(*) AS n FROM \(subquery)", in: [folder.folder]).first?.int("n") ?? 0
                results.append(try await result(question, count, 0, views, folder, duckDB))
            } catch let error as SlipwayError {
                throw SlipwayError(error.code, "The check '\(query.name)' cannot run: \(error.message)", remedy: "Correct its 'rows' in the checks file.")
            }
        }
        return results
    }

    private func result(
        _ question: Question, _ broken: Int64, _ total: Int64, _ views: String, _ folder: TableFolder, _ duckDB: DuckDB
    ) async throws -> CheckOutcome.Result {
        let holds = question.holds(broken, total)
        var sample: [JSONValue] = []
        if !holds {
            sample = try await duckDB.rows(views + "SELECT * FROM (\(question.broken)) LIMIT \(Self.sampleMax)", in: [folder.folder]).map {
                .object($0.values.mapValues(Self.finite))
            }
        }
        return .init(name: question.name, severity: question.severity, holds: holds, message: question.says(broken, total), sample: sample)
    }

    /// JSON has no NaN.
    private static func finite(_ value: JSONValue) -> JSONValue {
        if case .number(let number) = value, !number.isFinite { return .string(String(number)) }
        return value
    }
}

extension SnapshotService {
    /// Asks the main line's checks of a snapshot. A dataset without checks says `none`; what stops the checks from running says `errored`.
    func outcome(of snapshot: DataSnapshot, manifest: FileManifest) async -> CheckOutcome {
        let now = clock.now
        var digest: ContentDigest?
        do {
            guard let text = try await checksFile(snapshot.dataset, snapshot.project) else { return CheckOutcome() }
            digest = ContentDigest(of: text)
            let checks = try DataChecks(parsing: text)
            let duckDB = try duckDB()
            let results = try await TableFolder.with(manifest, of: realm) { folder in try await checks.evaluate(snapshot.tables, in: folder, duckDB) }
            return CheckOutcome(results: results, at: now, checksDigest: ContentDigest(of: text))
        } catch let error as SlipwayError {
            return CheckOutcome(verdict: .errored, at: now, checksDigest: digest, message: [error.message, error.remedy].compactMap(\.self).joined(separator: " "))
        } catch {
            logger.error("data checks", metadata: ["snapshot": "\(snapshot.id)", "error": "\(error)"])
            return CheckOutcome(verdict: .errored, at: now, checksDigest: digest, message: "The checks could not run; the server's log names the cause.")
        }
    }

    /// Asks the checks again, with today's checks file; the former outcome stays on record.
    package func check(_ version: String?, of dataset: String, project: ProjectName, by caller: Caller) async throws -> DataSnapshot {
        try requireCare(caller, project)
        let snapshot = try await find(version, of: dataset, project: project)
        try await check(snapshot, by: caller.principal)
        return try await self.snapshot(snapshot.id, of: dataset, project: project, by: caller)
    }

    func check(_ snapshot: DataSnapshot, by principal: Principal) async throws {
        let blobs = realm.blobs
        let manifest = try await offload { try blobs.manifest(snapshot.manifestDigest) }
        var outcome = await outcome(of: snapshot, manifest: manifest)
        outcome.at = clock.now
        let recorded = outcome
        try await realm.database.write { tx in
            try SnapshotStore(tx: tx).add(recorded, to: snapshot.id)
            try AuditStore(tx: tx).append(
                "snapshot.check", subject: "snapshot:\(snapshot.id)", project: snapshot.project, by: principal, at: recorded.at ?? snapshot.createdAt,
                details: ["dataset": .string(snapshot.dataset), "verdict": .string(recorded.verdict.rawValue)])
        }
    }
}
