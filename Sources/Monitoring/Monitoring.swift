// Monitoring: labels that arrive later, drift and quality of what a slot answered, and the retraining that a crossing starts.

import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore

/// Asks for the promotion of a release into its project's slot of a realm.
/// - Parameter requestID: the same id twice is one promotion.
/// - Returns: the promotion's id.
package typealias RequestPromotion =
    @Sendable (
        _ environment: EnvironmentID, _ release: ContentDigest, _ project: ProjectName, _ requestID: String
    ) async throws -> String

/// Watches the slots of one realm.
package struct MonitoringService: Sendable {
    let realm: Realm
    /// The realm below, for profiles (never for rows), and the realms that retraining happens in, for how it ended.
    let readers: [EnvironmentID: RealmReader]
    let findDuckDB: @Sendable () throws -> DuckDB
    let dataRefresh: [EnvironmentID: any DataRefresh]
    let retraining: [EnvironmentID: any Retraining]
    let requestPromotion: RequestPromotion?
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger

    package init(
        realm: Realm, readers: [EnvironmentID: RealmReader], findDuckDB: @escaping @Sendable () throws -> DuckDB = { try DuckDB.find() },
        dataRefresh: [EnvironmentID: any DataRefresh] = [:], retraining: [EnvironmentID: any Retraining] = [:], requestPromotion: RequestPromotion? = nil,
        clock: any WallClock, ids: any IDGenerator, logger: Logger
    ) {
        self.realm = realm
        self.readers = readers
        self.findDuckDB = findDuckDB
        self.dataRefresh = dataRefresh
        self.retraining = retraining
        self.requestPromotion = requestPromotion
        self.clock = clock
        self.ids = ids
        self.logger = logger
    }

    package var environment: EnvironmentID { realm.environment }

    // MARK: What is watched

    /// A slot with what its project file says about watching it.
    struct Watched: Sendable {
        var slot: Slot
        var file: ProjectFile?
        var monitoring: ProjectFile.Monitoring { file?.monitoring ?? ProjectFile.Monitoring() }
    }

    /// The file is the one that the slot's current release was approved with, else the newest of the main line.
    func watched(_ name: SlotName) async throws -> Watched {
        let environment = environment
        return try await realm.database.read { tx in
            guard let slot = try SlotStore(tx: tx).slot(name) else {
                throw SlipwayError.notFound("\(environment.rawValue) has no slot '\(name)'.", remedy: "See what exists: slipway slot list")
            }
            return Watched(slot: slot, file: try Self.projectFile(of: slot, environment, tx))
        }
    }

    static func projectFile(of slot: Slot, _ environment: EnvironmentID, _ tx: any Transaction) throws -> ProjectFile? {
        let store = ProjectFileStore(tx: tx)
        if let current = slot.current, let release = try ReleaseStore(tx: tx).release(current),
            let digest = release.content.configDigests[environment.rawValue], let file = try store.file(digest: digest)
        {
            return file
        }
        return try store.current(of: slot.project)?.file
    }

    func newID() -> String { String(ids.hex32().suffix(12)) }

    // MARK: Folders

    var directory: URL { realm.directory.standardizedFileURL }
    func captures(of slot: SlotName) -> URL { directory.appending(path: "captures/\(slot.rawValue)") }
    func labels(of slot: SlotName) -> URL { directory.appending(path: "labels/\(slot.rawValue)") }
    var blobs: URL { realm.blobs.root.standardizedFileURL }

    /// A folder for one piece of work, removed afterwards.
    func withWorkFolder<T: Sendable>(_ body: (URL) async throws -> T) async throws -> T {
        let folder = directory.appending(path: "monitoring/work/\(UUID().uuidString)")
        try await offload { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
        let result: Result<T, any Error>
        do { result = .success(try await body(folder)) } catch { result = .failure(error) }
        do {
            try await offload { try FileManager.default.removeItem(at: folder) }
        } catch {
            logger.warning("work folder left behind", metadata: ["folder": "\(folder.path)", "error": "\(error)"])
        }
        return try result.get()
    }

    /// What a crash left behind of work that is over.
    package func sweep() async throws {
        let folders = [directory.appending(path: "monitoring/work"), directory.appending(path: "labels/incoming")]
        try await offload {
            for folder in folders where FileManager.default.fileExists(atPath: folder.path) { try FileManager.default.removeItem(at: folder) }
        }
    }
}
