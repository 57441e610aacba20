import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What is wrong with applications, as MLflow keeps it.
extension TrackingService {
    /// - Parameter issue: its id, project and times are set here.
    package func createIssue(_ issue: TraceIssue, by caller: Caller) async throws -> TraceIssue {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(issue.experiment)
        guard issue.name.count <= 250 else { throw TrackingRules.tooLong("name", 250) }
        guard issue.description.utf8.count <= 1 << 16, issue.rootCauses.count + issue.categories.count <= 200 else {
            throw SlipwayError.invalid("The issue is too long: 65536 bytes of description and 200 causes and categories at most.")
        }
        var made = issue
        made.id = "iss-\(ids.hex32())"
        made.createdAt = clock.now
        made.updatedAt = made.createdAt
        let kept = made
        try await realm.database.write { [environment] tx in
            _ = try ExperimentStore(tx: tx).writable(kept.experiment, by: caller, in: environment)
            try IssueStore(tx: tx).put(kept)
        }
        return kept
    }

    package func issue(_ id: String, by caller: Caller) async throws -> TraceIssue {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let issue = try IssueStore(tx: tx).existing(id)
            try caller.require(.readMetadata, project: issue.project, environment: environment)
            return issue
        }
    }

    /// What is nil stays as it is.
    package func updateIssue(
        _ id: String, name: String?, description: String?, status: TraceIssue.Status?, severity: TraceIssue.Severity?, by caller: Caller
    ) async throws -> TraceIssue {
        try caller.requireSomebody()
        let now = clock.now
        return try await realm.database.write { [environment] tx in
            let store = IssueStore(tx: tx)
            var issue = try store.existing(id)
            try caller.require(.runWork, project: issue.project, environment: environment)
            issue.name = name ?? issue.name
            issue.description = description ?? issue.description
            issue.status = status ?? issue.status
            issue.severity = severity ?? issue.severity
            issue.updatedAt = now
            try store.put(issue)
            return issue
        }
    }

    package func searchIssues(
        filter: String, experiment: String?, countsTraces: Bool, limit: Int, offset: Int, by caller: Caller
    ) async throws -> SearchPage<(issue: TraceIssue, traces: Int64?)> {
        try caller.requireSomebody()
        if let experiment { try TrackingRules.checkExperimentID(experiment) }
        let filter = try SearchFilter(parsing: filter, for: .issues)
        let projects = visibleProjects(caller)
        return try await realm.database.read { tx in
            try IssueStore(tx: tx).search(filter, experiment: experiment, projects: projects, countsTraces: countsTraces, limit: limit, offset: offset)
        }
    }
}

extension IssueStore {
    func existing(_ id: String) throws -> TraceIssue {
        guard let issue = try issue(id) else { throw SlipwayError.notFound("Issue with ID '\(id.prefix(80))' not found") }
        return issue
    }
}
