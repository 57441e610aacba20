import ArgumentParser
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct SlotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slot", abstract: "Slots: what an environment serves, and what it served.",
        subcommands: [SlotList.self, SlotShow.self, SlotHistoryCommand.self, SlotHold.self, SlotLift.self, SlotRetire.self])
}

struct SlotList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List an environment's slots.", discussion: "Example: slipway slot list prod")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @Option(help: "Of this project only.") var project: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let query = try project.map { "?project=\(try queryPart($0))" } ?? ""
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/slots\(query)", as: WirePage<WireSlot>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["slot", "project", "current", "fallback", "generation", "hold"],
            page.items.map {
                ["\($0.environment)/\($0.name)", $0.project, Words.short($0.current), Words.short($0.fallback), String($0.generation), $0.hold ?? ""]
            }, empty: "No slots in \(environment.rawValue) that you can see. The first promotion opens one.")
    }
}

struct SlotShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "What a slot holds.", discussion: "Example: slipway slot show prod/flight-delay")
    @Argument(help: "ENVIRONMENT/SLOT.") var slot: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await connection.client().get("/api/v1/\(slot.environment.rawValue)/slots/\(try pathPart(slot.name))", as: WireSlot.self)
        if connection.json { return try Output.json(found) }
        Output.record([
            ("slot", "\(found.environment)/\(found.name)"), ("project", found.project), ("current", found.current ?? "nothing"), ("promotion", found.promotion),
            ("fallback", found.fallback ?? "none"), ("generation", String(found.generation)), ("changed", found.updatedAt),
            ("hold", found.hold.map { "\($0) (\(found.heldBy ?? "") at \(found.heldAt ?? ""))" }),
        ])
    }
}

struct SlotHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "What served, who approved it, on which data.",
        discussion: "Example: slipway slot history prod/flight-delay --at 2013-03-03T14:05:00Z")
    @Argument(help: "ENVIRONMENT/SLOT.") var slot: EnvironmentPath
    @Option(help: "Only what served at this time.") var at: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let query = try at.map { "?at=\(try queryPart($0))" } ?? ""
        let path = "/api/v1/\(slot.environment.rawValue)/slots/\(try pathPart(slot.name))/history\(query)"
        let page = try await connection.client().get(path, as: WirePage<WireChapter>.self)
        if connection.json { return try Output.json(page) }
        if page.items.isEmpty { Output.note(at.map { "Nothing served at \($0)." } ?? "Nothing has served yet.") }
        for chapter in page.items {
            let fields: [(String, String?)] = [
                ("from", chapter.from), ("until", chapter.until ?? "now"), ("generation", "\(chapter.generation) (\(chapter.cause))"),
                ("release", chapter.release ?? "nothing served"), ("model", chapter.model.map { "\($0) version \(chapter.modelVersion ?? 0)" }),
                ("commit", chapter.commit), ("promotion", chapter.promotion), ("requested by", chapter.requestedBy),
                ("approved by", chapter.approvedBy.joined(separator: ", ")), ("applied by", chapter.appliedBy), ("policy", chapter.policy),
                ("trained on", Words.pairs(chapter.trainedOn)), ("checked on", Words.pairs(chapter.checkedOn)), ("way back", chapter.fallback),
            ]
            Output.record(fields)
            Output.line()
        }
    }
}

struct SlotHold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Let automation leave a slot alone.", discussion: "Example: slipway slot hold prod/flight-delay --reason \"holiday traffic\"")
    @Argument(help: "ENVIRONMENT/SLOT.") var slot: EnvironmentPath
    @Option(help: "Why.") var reason: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let path = "/api/v1/\(slot.environment.rawValue)/slots/\(try pathPart(slot.name))/hold"
        _ = try await connection.client().post(path, WireVerb(reason: reason), as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("\(slot.environment.rawValue)/\(slot.name) is on hold.")
    }
}

struct SlotLift: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "lift", abstract: "Lift a slot's hold.", discussion: "Example: slipway slot lift prod/flight-delay")
    @Argument(help: "ENVIRONMENT/SLOT.") var slot: EnvironmentPath
    @Option(help: "Why.") var reason = ""
    @OptionGroup var connection: Connection

    func run() async throws {
        let path = "/api/v1/\(slot.environment.rawValue)/slots/\(try pathPart(slot.name))/hold"
        _ = try await connection.client().delete(path, WireVerb(reason: reason), as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("The hold on \(slot.environment.rawValue)/\(slot.name) is lifted.")
    }
}

struct SlotRetire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Drain and close a slot's endpoint.",
        discussion: "Example: slipway slot retire stage/flight-delay --reason \"replaced by another project\"")
    @Argument(help: "ENVIRONMENT/SLOT.") var slot: EnvironmentPath
    @Option(help: "Why.") var reason: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let path = "/api/v1/\(slot.environment.rawValue)/slots/\(try pathPart(slot.name))/retire"
        let promotion = try await connection.client().post(path, WireVerb(reason: reason), as: WirePromotion.self)
        if connection.json { return try Output.json(promotion) }
        Output.note("\(slot.environment.rawValue)/\(slot.name) is retired.")
    }
}

struct RollbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Return a slot to its fallback: no approval needed, no freeze in the way.",
        discussion: "Example: slipway rollback prod/flight-delay --reason \"latency doubled\"")
    @Argument(help: "ENVIRONMENT/SLOT.") var slot: EnvironmentPath
    @Option(help: "Why.") var reason: String
    @Option(help: "Your own id for this request: the same twice is one.") var requestID: String?
    @Flag(help: "Do not wait until the fallback answers.") var detach = false
    @OptionGroup var connection: Connection

    func run() async throws {
        let client = try connection.client()
        let started = ContinuousClock.now
        let path = "/api/v1/\(slot.environment.rawValue)/slots/\(try pathPart(slot.name))/rollback"
        var promotion = try await client.post(path, WireVerb(reason: reason, requestId: requestID), as: WirePromotion.self)
        if !detach { promotion = try await PromotionFollower(client: client, isQuiet: connection.json).follow(promotion) }
        if connection.json { return try Output.json(promotion) }
        guard !detach else { return Output.note("Rolling back. Follow it: slipway promotion watch \(promotion.id)") }
        guard promotion.state == "rolledBack" else {
            throw SlipwayError(.unavailable, "The rollback ended as '\(promotion.state)'.", remedy: "See why: slipway promotion show \(promotion.id)")
        }
        Output.note("Rolled back in \((ContinuousClock.now - started).milliseconds) ms. The slot is on hold: slipway slot lift \(slot.environment.rawValue)/\(slot.name)")
    }
}
