import Access
import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayStore

/// Ways back that need the machine's own shell: they open the data folder itself.
package enum Recovery {
    /// Sets a lost password. Safe beside a running server, which shares the database file.
    /// - Throws: `notFound` when the folder or the person is not there.
    package static func setPassword(_ password: String, of name: UserName, data: URL) async throws {
        let file = data.appending(path: "control.sqlite")
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw SlipwayError.notFound("'\(data.path)' is no data folder of Slipway.", remedy: "Name the one the server uses: --data FOLDER")
        }
        let logger = Logger(label: "slipway")
        let control = try SQLiteDatabase(path: file.path, logger: logger)
        try await Migrator(Migrations.control).migrate(control, now: SystemWallClock().now)
        let access = AccessService(control: control, realms: [:], clock: SystemWallClock(), ids: RandomIDs(), logger: logger)
        try await access.setPassword(password, of: name, by: .system("recovery"))
        try await control.close()
    }
}
