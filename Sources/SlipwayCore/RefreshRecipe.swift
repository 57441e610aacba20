/// A refresh as the project file declares it, offered to the realm that it would fill. Without effect until a steward adopts its digest.
package struct RefreshRecipe: Sendable, Hashable, Codable {
    package var project: ProjectName
    package var dataset: String
    package var refresh: ProjectFile.Refresh
    /// Of the canonical form of project, dataset and refresh.
    package var digest: ContentDigest
    /// The main-line commit that offered it last.
    package var commit: String
    package var proposedAt: Timestamp
    package var adoptedAt: Timestamp?
    /// `Principal.raw`
    package var adoptedBy: String?

    package init(project: ProjectName, dataset: String, refresh: ProjectFile.Refresh, commit: String, proposedAt: Timestamp) throws {
        self.project = project; self.dataset = dataset; self.refresh = refresh; self.commit = commit; self.proposedAt = proposedAt
        digest = try CanonicalJSON.digest(Content(project: project, dataset: dataset, refresh: refresh))
    }

    private struct Content: Encodable { var project: ProjectName; var dataset: String; var refresh: ProjectFile.Refresh }

    /// Why the recipe may not fill `environment`, or nil. Data only moves down.
    package func refusal(in environment: EnvironmentID) -> SlipwayError? {
        guard refresh.from > environment else {
            return SlipwayError(
                .notAllowed, "\(environment.rawValue) may not be filled from \(refresh.from.rawValue): data never moves upward.",
                remedy: "In slipway.yaml let 'data.\(dataset).refresh.\(environment.rawValue).from' name a higher environment.")
        }
        return nil
    }
}

/// How often a refresh is due.
package enum RefreshCadence: String, Sendable, Hashable, Codable, CaseIterable {
    case day, week, month, quarter

    /// - Throws: `invalidArgument` for another word.
    package init(parsing text: String) throws {
        guard let value = Self(rawValue: text) else {
            throw SlipwayError.invalid("'\(text.prefix(80))' is no cadence.", remedy: "Write \(Self.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        self = value
    }

    /// A month counts 30 days, a quarter 91.
    package var interval: Duration {
        switch self {
        case .day: .seconds(86_400)
        case .week: .seconds(7 * 86_400)
        case .month: .seconds(30 * 86_400)
        case .quarter: .seconds(91 * 86_400)
        }
    }
}

/// One attempt to refresh a dataset.
package struct RefreshAttempt: Sendable, Hashable, Codable {
    package enum State: String, Sendable, Hashable, Codable, CaseIterable {
        case running, succeeded
        /// Nothing newer was there.
        case unchanged
        case failed
    }

    package var id: String
    package var project: ProjectName
    package var dataset: String
    package var recipe: ContentDigest
    package var state: State
    package var startedAt: Timestamp
    package var endedAt: Timestamp?
    package var by: String
    /// In the environment the rows come from.
    package var source: String?
    /// In this environment.
    package var snapshot: String?
    package var message: String?

    package init(
        id: String, project: ProjectName, dataset: String, recipe: ContentDigest, state: State, startedAt: Timestamp, endedAt: Timestamp? = nil,
        by: String, source: String? = nil, snapshot: String? = nil, message: String? = nil
    ) {
        self.id = id; self.project = project; self.dataset = dataset; self.recipe = recipe; self.state = state; self.startedAt = startedAt
        self.endedAt = endedAt; self.by = by; self.source = source; self.snapshot = snapshot; self.message = message
    }
}
