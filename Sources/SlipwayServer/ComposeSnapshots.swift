import Foundation
import SlipwayAPI
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Snapshots
import Synchronization

extension House {
    /// Data. After Pipelines, whose Git host the checks are read from.
    mutating func addSnapshots() {
        let foundations = foundations
        for (environment, realm) in foundations.realms {
            let snapshots = SnapshotService(
                realm: realm, others: foundations.realms.values.filter { $0.environment != environment }.map(\.reader), clock: foundations.clock,
                ids: foundations.ids, logger: foundations.logger, checksFile: ChecksReader(realm: realm, history: codeHistory).read)
            // A realm is given those above it and no others: rows have no way up.
            let above = foundations.realms.filter { $0.key > environment }.mapValues { RefreshSource(realm: $0) }
            let refresh = RefreshService(snapshots: snapshots, sources: above)
            self.snapshots[environment] = snapshots
            dataRefresh[environment] = refresh
            refreshes[environment] = refresh
            services.append(SnapshotKeeper(snapshots: snapshots, refreshes: refresh))
        }
        DataRoutes(snapshots: snapshots, refreshes: refreshes).add(to: api)
    }
}

/// Finds a dataset's checks file at the main line; a commit's file never changes, so what was read once is remembered.
private final class ChecksReader: Sendable {
    let realm: Realm
    let history: (any CodeHistory)?
    private let remembered = Mutex<[String: [UInt8]?]>([:])

    init(realm: Realm, history: (any CodeHistory)?) {
        self.realm = realm
        self.history = history
    }

    @Sendable func read(dataset: String, project: ProjectName) async throws -> [UInt8]? {
        guard let current = try await realm.database.read({ tx in try ProjectFileStore(tx: tx).current(of: project) }),
            let path = current.file.data[dataset]?.checks, let history
        else { return nil }
        let key = "\(project) \(current.commit) \(path)"
        if let known = remembered.withLock({ $0[key] }) { return known }
        guard let text = try await history.file(path, at: current.commit, of: project) else {
            throw SlipwayError.notFound(
                "Commit \(current.commit.prefix(12)) has no file '\(path)', which 'data.\(dataset).checks' of slipway.yaml names.", remedy: "Add the file and push again.")
        }
        remembered.withLock { known in
            if known.count >= 1000 { known.removeAll() }
            known[key] = text
        }
        return text
    }
}
