import Access
import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwaySQLite
import SlipwayStore

/// What every room stands on.
package struct Foundations: Sendable {
    package let folder: URL
    package let control: any Database
    package let realms: [EnvironmentID: Realm]
    package let access: AccessService
    package let clock: any WallClock
    package let ids: any IDGenerator
    package let resources: ResourceFolder
    package let logger: Logger
    package let host: String
    package let port: Int
    /// The system chose the port, so the gateways' are its choice too.
    package let portIsChosen: Bool
    /// Such as `http://127.0.0.1:5080`: what steps and workers on this machine are told.
    package let address: String
    /// Environment variables of the process.
    package let settings: [String: String]

    static func open(_ folder: DataFolder, configuration: ServerConfiguration, port: Int, logger: Logger) async throws -> Foundations {
        let clock = SystemWallClock()
        let ids = RandomIDs()
        let control = try SQLiteDatabase(path: folder.file("control.sqlite").path, logger: logger)
        try await Migrator(Migrations.control).migrate(control, now: clock.now)
        var realms: [EnvironmentID: Realm] = [:]
        for environment in configuration.environments {
            let directory = folder.file(environment.rawValue)
            let blobs = try BlobFolder(root: directory.appending(path: "blobs"))
            try blobs.sweepIncoming()
            let database = try SQLiteDatabase(path: directory.appending(path: "realm.sqlite").path, logger: logger)
            try await Migrator(Migrations.realm).migrate(database, now: clock.now)
            realms[environment] = Realm(
                environment: environment, database: database, blobs: blobs, directory: directory,
                places: environment == .dev ? try ArtifactPlaces(root: configuration.artifactRoot, destination: configuration.artifactsDestination) : .blobs)
        }
        let reachable = ["0.0.0.0", "::"].contains(configuration.host) ? "127.0.0.1" : configuration.host
        return Foundations(
            folder: folder.root, control: control, realms: realms,
            access: AccessService(control: control, realms: realms, clock: clock, ids: ids, logger: logger, standardLevel: configuration.basic?.standardLevel),
            clock: clock, ids: ids, resources: try ResourceFolder.find(), logger: logger, host: configuration.host, port: port, portIsChosen: configuration.port == 0,
            address: "http://\(reachable.contains(":") ? "[\(reachable)]" : reachable):\(port)", settings: configuration.settings)
    }

    func close() async throws {
        try await control.close()
        for realm in realms.values { try await realm.database.close() }
    }
}
