import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Everything that a release names can be found again: commit, tree, lock, training data, bytes.
package struct TraceableGate: Gate {
    let code: any CodeHistory
    /// Where training data may lie.
    let realms: [EnvironmentID: RealmReader]
    package let name = GateName.traceable

    package init(code: any CodeHistory, realms: [EnvironmentID: RealmReader]) {
        self.code = code
        self.realms = realms
    }

    package func run(_ input: GateInput) async throws -> GateResult {
        let faults = try await codeFaults(input) + byteFaults(input) + dataFaults(input)
        let content = input.release.content
        guard faults.isEmpty else {
            return .fail(faults.joined(separator: " "), remedy: "Restore what is missing, or make a new release by pushing again.", ["faults": .array(faults.map { .string($0) })])
        }
        return .pass(
            "Commit \(content.commit.prefix(12)), its tree, the lock, \(content.snapshots.count) training snapshots and the model's bytes are where the release says.",
            ["commit": .string(content.commit), "tree": .string(content.tree), "lock": .string(content.lockDigest.rawValue), "model": .string(content.modelDigest.rawValue)])
    }

    private func codeFaults(_ input: GateInput) async throws -> [String] {
        let content = input.release.content
        do {
            guard try await code.tree(of: content.commit, project: content.project) == content.tree else {
                return ["The tree of commit \(content.commit.prefix(12)) is not the release's."]
            }
        } catch let error as SlipwayError where error.code == .notFound {
            return ["The repository has no commit \(content.commit.prefix(12))."]
        }
        guard input.environment != .dev else { return [] }
        return try await code.isOnMainLine(content.commit, of: content.project) ? [] : ["Commit \(content.commit.prefix(12)) is not on the main line."]
    }

    private func byteFaults(_ input: GateInput) async throws -> [String] {
        let content = input.release.content
        let blobs = input.realm.blobs
        return try await offload {
            var faults: [String] = []
            if try !blobs.verify(content.lockDigest) { faults.append("The lock \(content.lockDigest.short) is missing or damaged.") }
            guard blobs.file(of: content.modelDigest) != nil else { return faults + ["The model's manifest is missing."] }
            if let path = try blobs.firstDamage(in: blobs.manifest(content.modelDigest)) { faults.append("The model's file '\(path)' is missing or damaged.") }
            return faults
        }
    }

    private func dataFaults(_ input: GateInput) async throws -> [String] {
        let content = input.release.content
        guard !content.snapshots.isEmpty else { return [] }
        guard let home = realms[content.trainingEnvironment] else {
            return ["The training data lies in \(content.trainingEnvironment.rawValue), which this process does not see."]
        }
        return try await home.database.read { tx in
            try content.snapshots.sorted { $0.key < $1.key }.compactMap { dataset, manifest in
                try SnapshotStore(tx: tx).snapshot(withManifest: manifest, of: dataset, project: content.project) == nil
                    ? "The training snapshot of '\(dataset)' is no longer in \(home.environment.rawValue)." : nil
            }
        }
    }
}
