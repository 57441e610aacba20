/// What a promotion moves. Immutable: `id` is the SHA-256 of the canonical form of `Content`, and evidence refers to it, never the other way.
package struct Release: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// The same bytes travel.
        case model
        /// Retrained in the target from the same commit.
        case code
    }

    /// Everything that the id is computed over.
    package struct Content: Sendable, Hashable, Codable {
        package var project: ProjectName
        package var kind: Kind
        /// Git commit and tree, hexadecimal.
        package var commit: String
        package var tree: String
        /// Of the locked Python requirements' text.
        package var lockDigest: ContentDigest
        package var modelName: String
        /// Of the model's `FileManifest`.
        package var modelDigest: ContentDigest
        package var trainingRun: String
        package var trainingEnvironment: EnvironmentID
        /// dataset → the snapshot's manifest digest
        package var snapshots: [String: ContentDigest]
        /// dataset → digest of its checks file
        package var contracts: [String: ContentDigest]
        /// Of the parsed project file (`ProjectFile`), per environment (today the same for all).
        package var configDigests: [String: ContentDigest]
        /// The requested release that this one was derived from (kind `code`).
        package var parent: ContentDigest?

        package init(
            project: ProjectName, kind: Kind, commit: String, tree: String, lockDigest: ContentDigest, modelName: String,
            modelDigest: ContentDigest, trainingRun: String, trainingEnvironment: EnvironmentID, snapshots: [String: ContentDigest],
            contracts: [String: ContentDigest], configDigests: [String: ContentDigest], parent: ContentDigest? = nil
        ) {
            self.project = project
            self.kind = kind
            self.commit = commit
            self.tree = tree
            self.lockDigest = lockDigest
            self.modelName = modelName
            self.modelDigest = modelDigest
            self.trainingRun = trainingRun
            self.trainingEnvironment = trainingEnvironment
            self.snapshots = snapshots
            self.contracts = contracts
            self.configDigests = configDigests
            self.parent = parent
        }
    }

    package let id: ContentDigest
    package let content: Content
    package var createdAt: Timestamp
    /// `Principal.raw`
    package var createdBy: String
    /// The version of `content.modelName` in the registry of the realm that holds this record.
    package var modelVersion: Int
    /// The execution that sealed it.
    package var execution: String
    /// Metrics of the training run when it was sealed, for people; gates measure anew.
    package var metrics: [String: Double]

    package init(
        content: Content, createdAt: Timestamp, createdBy: String, modelVersion: Int, execution: String, metrics: [String: Double]
    ) throws {
        id = try CanonicalJSON.digest(content)
        self.content = content
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.modelVersion = modelVersion
        self.execution = execution
        self.metrics = metrics
    }
}
