import GRDB
import SlipwayCore
import Synchronization

/// What SQLite lacks of `text REGEXP pattern`: the function behind it. PostgreSQL has its own.
enum PatternFunction {
    static func add(to db: GRDB.Database) {
        let cache = Cache()
        db.add(
            function: DatabaseFunction("regexp", argumentCount: 2, pure: true) { values in
                guard let pattern = String.fromDatabaseValue(values[0]), let text = String.fromDatabaseValue(values[1]) else { return nil }
                return try cache.pattern(pattern).isFound(in: text)
            })
    }

    /// The last few patterns of one connection, since a search asks with the same one for every row.
    private final class Cache: Sendable {
        private let patterns = Mutex<[String: RegularPattern]>([:])

        func pattern(_ text: String) throws -> RegularPattern {
            if let known = patterns.withLock({ $0[text] }) { return known }
            let made = try RegularPattern(text)
            patterns.withLock { patterns in
                if patterns.count >= 16 { patterns.removeAll() }
                patterns[text] = made
            }
            return made
        }
    }
}
