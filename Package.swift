// swift-tools-version: 6.1
import PackageDescription

// The floor plan: a target is a room, imports go down the floors only (ARCHITECTURE.md).
// Which room may import which is also held by Tests/HouseTests, because SwiftPM misses imports
// that are reachable through another target.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

/// - Parameter isTestable: tests look inside; in release, the one configuration of `make`, that has to be asked for.
func room(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil, isTestable: Bool = false) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: strict + (isTestable ? [.unsafeFlags(["-enable-testing"])] : []))
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

let features: [Target.Dependency] = [
    "Access", "Tracking", "Registry", "Webhooks", "Snapshots", "Promotions", "Pipelines", "Serving", "Monitoring",
]

let package = Package(
    name: "slipway",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "slipway", targets: ["slipway"]),
        .library(name: "SlipwayClient", targets: ["SlipwayClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    ],
    targets: [
        // Floor 0: values and pure rules.
        room("SlipwayCore", [crypto]),

        // Floor 1: ports and drivers.
        room("SlipwaySQL", ["SlipwayCore", crypto]),
        room("SlipwaySQLite", ["SlipwayCore", "SlipwaySQL", grdb, sqlite, logging]),
        room("SlipwayBlobs", ["SlipwayCore", crypto, nioCore, nioPosix]),
        room("SlipwayRuntime", ["SlipwayCore", subprocess, system, httpClient, nioCore, logging]),

        // Floor 2: every SQL text.
        room("SlipwayStore", ["SlipwayCore", "SlipwaySQL", "SlipwayBlobs", crypto]),

        // Floor 3: use cases.
        room("Access", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", crypto, cryptoExtras, logging]),
        room("Tracking", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", logging]),
        room("Registry", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", logging]),
        room("Webhooks", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", crypto, httpClient, nioCore, nioHTTP1, lifecycle, logging], isTestable: true),
        room("Snapshots", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", "SlipwayRuntime", yams, crypto, logging, lifecycle]),
        room(
            "Promotions", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", "SlipwayRuntime", yams, crypto, logging, lifecycle, subprocess, system], isTestable: true),
        room("Pipelines", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", "SlipwayRuntime", yams, crypto, logging, subprocess, system, lifecycle]),
        room(
            "Serving",
            [
                "SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", "SlipwayRuntime", logging, hummingbird, httpClient, nioCore, subprocess, system, lifecycle,
                collections, nioPosix, nioHTTP1, httpTypes, unixSignals,
            ], isTestable: true),
        room("Monitoring", ["SlipwayCore", "SlipwaySQL", "SlipwayStore", "SlipwayBlobs", "SlipwayRuntime", logging, subprocess, system, lifecycle]),

        // Floor 4: edges.
        room("SlipwayHTTP", ["SlipwayCore", "Access", hummingbird, nioCore, httpTypes, logging]),
        room(
            "MLflowAPI", ["CZlib", "SlipwayCore", "SlipwayHTTP", "SlipwayBlobs", "Access", "Tracking", "Registry", "Webhooks", hummingbird, nioCore, httpTypes, logging],
            isTestable: true),
        room("SlipwayAPI", ["SlipwayCore", "SlipwayHTTP", "SlipwayWire", "SlipwayBlobs", hummingbird, httpClient, nioCore, httpTypes, logging, subprocess, system] + features),
        room("SlipwayWeb", ["SlipwayCore", "SlipwayHTTP", "SlipwayRuntime", hummingbird, nioCore, httpTypes, logging] + features),

        // The system's zlib, which async-http-client links already.
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", providers: [.apt(["zlib1g-dev"])]),

        // Floor 5: composition.
        room(
            "SlipwayServer",
            [
                "SlipwayCore", "SlipwaySQL", "SlipwaySQLite", "SlipwayBlobs", "SlipwayRuntime", "SlipwayStore",
                "SlipwayHTTP", "MLflowAPI", "SlipwayAPI", "SlipwayWeb", hummingbird, httpClient, lifecycle, logging, unixSignals, nioCore,
            ] + features),

        // Side rooms.
        room("SlipwayWire", []),
        room("SlipwayClient", ["SlipwayWire", httpClient, nioCore, nioHTTP1]),
        .executableTarget(
            name: "slipway",
            dependencies: [
                "SlipwayCore", "SlipwayBlobs", "SlipwayRuntime", "SlipwayWire", "SlipwayClient", "SlipwayServer", "Pipelines", "Serving", arguments, crypto, logging, subprocess,
                system,
            ],
            path: "Sources/slipway", swiftSettings: strict),
        room("SlipwayTestSupport", ["SlipwayCore", "SlipwaySQL", "SlipwaySQLite", "SlipwayBlobs", "SlipwayStore", "SlipwayServer", logging]),

        .testTarget(name: "HouseTests", dependencies: [], swiftSettings: strict),
        .testTarget(
            name: "CoreTests",
            dependencies: ["SlipwayCore", "SlipwaySQL", "SlipwaySQLite", "SlipwayBlobs", "SlipwayStore", "SlipwayTestSupport", crypto],
            swiftSettings: strict),
        .testTarget(
            name: "FeatureTests",
            dependencies: [
                "SlipwayTestSupport", "SlipwaySQLite", "SlipwayServer", "SlipwayWire", "SlipwayClient", "MLflowAPI", "SlipwayAPI", "SlipwayWeb", "SlipwayStore",
                hummingbird, hummingbirdTesting, httpClient, yams, crypto, nioCore, nioHTTP1, lifecycle,
            ] + features,
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
