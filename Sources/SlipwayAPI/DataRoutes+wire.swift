import SlipwayCore
import SlipwayWire
import Snapshots

extension WireSnapshot {
    init(_ snapshot: DataSnapshot, in environment: EnvironmentID) {
        self.init(
            id: snapshot.id, environment: environment.rawValue, project: snapshot.project.rawValue, dataset: snapshot.dataset,
            manifest: snapshot.manifestDigest.rawValue, sizeBytes: snapshot.sizeBytes, files: snapshot.fileCount, createdAt: snapshot.createdAt.iso8601,
            createdBy: snapshot.createdBy, expiresAt: snapshot.expiresAt?.iso8601, label: snapshot.label, tags: snapshot.tags,
            lineage: snapshot.lineage.map { Lineage(environment: $0.environment.rawValue, snapshot: $0.snapshot, recipe: $0.recipe.rawValue) },
            tables: snapshot.tables.map { table in
                Table(
                    name: table.name, files: table.files.count, rows: table.rows,
                    columns: table.columns.map { Column(name: $0.name, type: $0.type, nulls: $0.nulls, distinct: $0.distinct, min: $0.min, max: $0.max) })
            },
            verdict: snapshot.checks.verdict.rawValue, checkedAt: snapshot.checks.at?.iso8601, checksMessage: snapshot.checks.message,
            checks: snapshot.checks.results.map { result in
                Check(
                    name: result.name, severity: result.severity.rawValue, holds: result.holds, message: result.message,
                    sample: result.sample.map { (try? CanonicalJSON.text($0)) ?? "" })  // it was read from JSON, so it encodes
            })
    }
}

extension WireRecipe {
    init(_ recipe: RefreshRecipe, isInForce: Bool) {
        self.init(
            dataset: recipe.dataset, digest: recipe.digest.rawValue, from: recipe.refresh.from.rawValue, every: recipe.refresh.every, sample: recipe.refresh.sample,
            mask: recipe.refresh.mask.mapValues(\.rawValue), commit: recipe.commit, proposedAt: recipe.proposedAt.iso8601,
            adoptedAt: recipe.adoptedAt?.iso8601, adoptedBy: recipe.adoptedBy, isInForce: isInForce)
    }
}

extension WireRefresh {
    init(_ attempt: RefreshAttempt) {
        self.init(
            id: attempt.id, state: attempt.state.rawValue, snapshot: attempt.snapshot, source: attempt.source, startedAt: attempt.startedAt.iso8601,
            endedAt: attempt.endedAt?.iso8601, by: attempt.by, message: attempt.message)
    }
}

extension WireDataset {
    init(_ overview: DatasetOverview, in environment: EnvironmentID) {
        self.init(
            dataset: overview.dataset, newest: overview.newest.map { WireSnapshot($0, in: environment) },
            refused: overview.refused.map { WireSnapshot($0, in: environment) }, recipe: overview.recipe.map { WireRecipe($0, isInForce: true) },
            offered: overview.offered.map { WireRecipe($0, isInForce: false) }, lastRefresh: overview.lastAttempt.map(WireRefresh.init),
            nextRefresh: overview.nextRefresh?.iso8601, isMissed: overview.isMissed, freshness: overview.freshness?.spelled, isStale: overview.isStale)
    }
}
