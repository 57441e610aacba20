// SlipwayTestSupport: fixtures, fake clock, seeded randomness and a test server.

import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayStore
import Synchronization

/// A clock that moves only when told.
package final class FakeClock: WallClock {
    private let time: Mutex<Timestamp>
    package init(_ start: Timestamp = Timestamp(milliseconds: 1_700_000_000_000)) { time = Mutex(start) }
    package var now: Timestamp { time.withLock { $0 } }
    package func advance(by step: Duration) { time.withLock { $0 = $0 + step } }
}

/// Ids that count: `00…01`, `00…02`, …
package final class CountingIDs: IDGenerator {
    private let count = Mutex(0)
    package init() {}
    package func hex32() -> String {
        let number = count.withLock {
            $0 += 1; return $0
        }
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}

/// SplitMix64: the same seed gives the same numbers on every machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64
    package init(seed: UInt64) { state = seed }
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A folder that is removed when the value goes away.
package final class TemporaryFolder: Sendable {
    package let url: URL
    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "slipway-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }
    deinit { do { try FileManager.default.removeItem(at: url) } catch { Logger(label: "test").warning("left behind: \(url.path)") } }
}

/// A realm on a temporary folder with the whole schema. Keep the value alive as long as the realm is used.
package struct TestRealm: Sendable {
    package let realm: Realm
    package let folder: TemporaryFolder
    package var database: any Database { realm.database }

    package init(_ environment: EnvironmentID = .dev, clock: some WallClock = FakeClock()) async throws {
        folder = try TemporaryFolder()
        let database = try SQLiteDatabase(path: folder.url.appending(path: "realm.sqlite").path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await Migrator(Migrations.realm).migrate(database, now: clock.now)
        realm = Realm(environment: environment, database: database, blobs: try BlobFolder(root: folder.url.appending(path: "blobs")), directory: folder.url)
    }
}

/// An empty control database on a temporary folder.
package struct TestControl: Sendable {
    package let database: any Database
    package let folder: TemporaryFolder

    package init(clock: some WallClock = FakeClock()) async throws {
        folder = try TemporaryFolder()
        database = try SQLiteDatabase(path: folder.url.appending(path: "control.sqlite").path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await Migrator(Migrations.control).migrate(database, now: clock.now)
    }
}

package let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
