import Foundation
import Testing

/// The source tree as text.
enum House {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let sources = root.appending(path: "Sources")

    struct File: Sendable {
        var room: String
        var path: String
        var text: String
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        var imports: [String] {
            text.matches(of: /(?m)^(?:@\w+(?:\(\w+\))? )*(?:package |public |internal )?import (?:struct |class |enum |protocol |func )?(\w+)/).map { String($0.output.1) }
        }
    }

    static let files: [File] = {
        let walk = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        return (walk?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }.sorted { $0.path < $1.path }.map { url in
            let path = String(url.path.dropFirst(sources.path.count + 1))
            // A file that cannot be read is empty here, which a test refuses.
            return File(room: String(path.prefix { $0 != "/" }), path: path, text: (try? String(contentsOf: url, encoding: .utf8)) ?? "")
        }
    }()
}

@Suite("The house")
struct HouseTests {
    /// Which room may import which, floor by floor; a missing entry is a refusal, and `reasons` says why.
    static let doors: [String: Set<String>] = {
        let features: Set = ["Access", "Tracking", "Registry", "Webhooks", "Snapshots", "Promotions", "Pipelines", "Serving", "Monitoring"]
        let ports: Set = ["SlipwayCore", "SlipwaySQL", "SlipwayBlobs", "SlipwayRuntime"]
        var doors: [String: Set<String>] = [
            "SlipwayCore": [],
            "SlipwaySQL": ["SlipwayCore"],
            "SlipwaySQLite": ["SlipwayCore", "SlipwaySQL"],
            "SlipwayBlobs": ["SlipwayCore"],
            "SlipwayRuntime": ["SlipwayCore"],
            "SlipwayStore": ["SlipwayCore", "SlipwaySQL", "SlipwayBlobs"],
            "SlipwayHTTP": ["SlipwayCore", "Access"],
            "MLflowAPI": ["SlipwayCore", "SlipwayBlobs", "SlipwayHTTP", "Access", "Tracking", "Registry", "Webhooks"],
            "SlipwayAPI": features.union(["SlipwayCore", "SlipwayBlobs", "SlipwayHTTP", "SlipwayWire"]),
            "SlipwayWeb": features.union(["SlipwayCore", "SlipwayHTTP", "SlipwayRuntime"]),
            "SlipwayServer": features.union(ports).union(["SlipwaySQLite", "SlipwayStore", "SlipwayHTTP", "MLflowAPI", "SlipwayAPI", "SlipwayWeb", "SlipwayWire"]),
            "SlipwayWire": [],
            "SlipwayClient": ["SlipwayWire"],
            "slipway": ["SlipwayCore", "SlipwayWire", "SlipwayClient", "SlipwayServer", "SlipwayRuntime", "SlipwayBlobs", "Pipelines", "Serving"],
            "SlipwayTestSupport": ["SlipwayCore", "SlipwaySQL", "SlipwaySQLite", "SlipwayBlobs", "SlipwayStore", "SlipwayServer"],
        ]
        for feature in features { doors[feature] = ports.union(["SlipwayStore"]) }
        return doors
    }()

    /// Libraries that one room hides from the rest.
    static let hidden: [String: Set<String>] = [
        "GRDB": ["SlipwaySQLite"],
        "Yams": ["Pipelines", "Promotions", "Snapshots"],
        "ArgumentParser": ["slipway"],
        "AsyncHTTPClient": ["SlipwayClient", "Webhooks", "SlipwayRuntime", "Serving", "SlipwayAPI", "SlipwayServer", "slipway"],
        "Hummingbird": ["SlipwayHTTP", "MLflowAPI", "SlipwayAPI", "SlipwayWeb", "SlipwayServer", "Serving"],
    ]

    @Test("every room's sources are read")
    func roomsAreFound() {
        #expect(Set(House.files.map(\.room)) == Set(Self.doors.keys))
        #expect(House.files.allSatisfy { !$0.text.isEmpty })
    }

    @Test("imports go down the floors only")
    func imports() {
        for file in House.files {
            for target in file.imports where Self.doors[target] != nil && target != file.room {
                #expect(
                    Self.doors[file.room]?.contains(target) == true,
                    "\(file.path) imports \(target): rooms of one floor meet in SlipwayStore or through Ports.swift, and nothing imports upward")
            }
        }
    }

    @Test("a library that a room hides is imported nowhere else")
    func libraries() {
        for file in House.files {
            for library in file.imports {
                guard let rooms = Self.hidden[library] else { continue }
                #expect(rooms.contains(file.room), "\(file.path) imports \(library), which is hidden in \(rooms.sorted().joined(separator: ", "))")
            }
        }
    }

    @Test("each room opens with one sentence", arguments: HouseTests.doors.keys.filter { $0 != "slipway" }.sorted())
    func headers(room: String) {
        let openings = House.files.filter { $0.room == room && $0.text.hasPrefix("// \(room): ") }
        #expect(openings.count == 1, "one file of \(room) starts with '// \(room): what it is.'")
    }

    @Test("nothing prints, waits to be done, or swallows an error without saying why")
    func manners() {
        for file in House.files {
            for (number, line) in file.lines.enumerated() {
                let place = "\(file.path):\(number + 1)"
                let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init) ?? ""
                #expect(!code.contains(/(^|[^\w.])print\(/), "\(place) prints: use the logger, or Output in the command line")
                #expect(!line.contains(/\b(TODO|FIXME|XXX)\b/), "\(place) is unfinished")
                if code.contains(/\btry\?/) { #expect(Self.isExplained(number, in: file.lines), "\(place) drops an error: say why on the line or above it") }
                if code.contains("@unchecked Sendable") || code.contains("nonisolated(unsafe)") {
                    let before = number > 0 ? file.lines[number - 1] : ""
                    #expect(line.contains("//") || before.contains("//"), "\(place): name the lock that protects it")
                }
            }
        }
    }

    /// A comment on the line, or above the run of such lines that it belongs to.
    private static func isExplained(_ number: Int, in lines: [Substring]) -> Bool {
        if lines[number].contains("//") { return true }
        var above = number - 1
        while above >= 0, lines[above].contains("try?") { if lines[above].contains("//") { return true }; above -= 1 }
        return above >= 0 && lines[above].contains("//")
    }

    @Test("SQL is written in the stores and in the dialect that every driver shares")
    func dialect() {
        let foreign = [
            /::\s*(?:text|int|bigint)/.ignoresCase(), /\bINSERT OR\b/.ignoresCase(), /\bAUTOINCREMENT\b/.ignoresCase(), /\bdatetime\s*\(/.ignoresCase(),
            /\bIFNULL\s*\(/.ignoresCase(), /\browid\b/.ignoresCase(),
        ]
        for file in House.files {
            let holdsSQL = file.text.contains(/\bStatement\(\s*"/)
            if holdsSQL { #expect(["SlipwayStore", "SlipwaySQL"].contains(file.room), "\(file.path) holds SQL: it belongs in a store") }
            guard file.room == "SlipwayStore" else { continue }
            for pattern in foreign { #expect(!file.text.contains(pattern), "\(file.path) leaves the common SQL") }
        }
    }

    @Test("each table is written by one store")
    func tableOwners() {
        var owners: [String: Set<String>] = [:]
        for file in House.files where file.room == "SlipwayStore" && !file.path.contains("/Migrations/") {
            for match in file.text.matches(of: /(?:INSERT INTO|UPDATE|DELETE FROM) ([a-z_]+)/) where !["SET"].contains(String(match.output.1)) {
                let store = file.path.split(separator: "/").last.map { $0.prefix { $0 != "+" && $0 != "." } } ?? ""
                owners[String(match.output.1), default: []].insert(String(store))
            }
        }
        for (table, stores) in owners { #expect(stores.count == 1, "the table \(table) is written by \(stores.sorted().joined(separator: " and "))") }
    }

    @Test("migrations are numbered without gaps")
    func migrationNumbers() {
        for prefix in ["M", "C"] {
            let numbers = House.files.compactMap { file in
                file.path.firstMatch(of: /\/Migrations\/([MC])(\d{4})_/).flatMap { $0.output.1 == prefix ? Int($0.output.2) : nil }
            }.sorted()
            #expect(numbers == Array(1...max(1, numbers.count)))
        }
    }

    @Test("the size report: rooms and the largest files")
    func sizes() {
        let lines = House.files.map { (path: $0.path, room: $0.room, count: $0.lines.count) }
        let rooms = Dictionary(grouping: lines, by: \.room).mapValues { $0.reduce(0) { $0 + $1.count } }
        let report = rooms.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let largest = lines.sorted { $0.count > $1.count }.prefix(10).map { "\($0.path) \($0.count)" }.joined(separator: ", ")
        Issue.record(Comment(rawValue: "rooms: \(report)\nlargest files: \(largest)"), severity: .warning)
        for file in lines { #expect(file.count <= 600, "\(file.path) has \(file.count) lines: look for the second idea") }
    }
}
