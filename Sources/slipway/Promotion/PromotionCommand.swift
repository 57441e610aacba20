import ArgumentParser
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct PromotionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promotion", abstract: "Promotions: the one way by which an environment changes what it runs.",
        subcommands: [
            PromotionCreate.self, PromotionList.self, PromotionShow.self, PromotionWatch.self, PromotionApprove.self, PromotionReject.self, PromotionApply.self,
            PromotionCheck.self, PromotionWithdraw.self, PromotionAbort.self,
        ])
}

struct PromotionCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Ask for a release to go into an environment; its gates start at once.",
        discussion: "Example: slipway promotion request 3f9a0c1d22ab --to stage")
    @Argument(help: "The release's id or its beginning.") var release: String
    @Option(help: "stage or prod (or dev).") var to: EnvironmentID
    @Option(help: "The slot, when it is not the project's endpoint.") var slot: String?
    @Option(help: "Your own id for this request: the same twice is one.") var requestID: String?
    @Flag(help: "Follow it until it needs a person.") var watch = false
    @OptionGroup var connection: Connection

    func run() async throws {
        let client = try connection.client()
        var promotion = try await client.post(
            "/api/v1/\(to.rawValue)/promotions", WirePromotionRequest(release: release, slot: slot, requestId: requestID), as: WirePromotion.self)
        if watch { promotion = try await PromotionFollower(client: client, isQuiet: connection.json).follow(promotion) }
        if connection.json { return try Output.json(promotion) }
        Output.line(promotion.id)
        if !watch { Output.note("The gates run. Follow it: slipway promotion watch \(promotion.id)") }
    }
}

struct PromotionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List an environment's promotions, newest first.", discussion: "Example: slipway promotion list prod --slot flight-delay")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @Option(help: "Of this project only.") var project: String?
    @Option(help: "Of this slot only.") var slot: String?
    @OptionGroup var paging: Paging
    @OptionGroup var connection: Connection

    func run() async throws {
        let query = try paging.query(["project": project, "slot": slot])
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/promotions\(query)", as: WirePage<WirePromotion>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["promotion", "slot", "release", "state", "since", "requested by", "policy"],
            page.items.map {
                [$0.id, "\($0.environment)/\($0.slot)", Words.short($0.release), $0.state, $0.stateSince, $0.requestedBy, $0.plan.policy]
            }, empty: "No promotions in \(environment.rawValue) that you can see. Ask for one: slipway promotion request RELEASE --to \(environment.rawValue)")
        paging.hint(page.next)
    }
}

struct PromotionShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "The plan, what it changes, its gates and who approved.", discussion: "Example: slipway promotion show 0123456789ab")
    @Argument(help: "The promotion's id, or ENVIRONMENT/ID.") var promotion: Addressed
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await promotion.find(connection.client(), "promotions", as: WirePromotion.self)
        if connection.json { return try Output.json(found) }
        PromotionText.show(found)
    }
}

struct PromotionWatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follow a promotion until it is live, at an end, or needs a person.",
        discussion: "Example: slipway promotion watch 0123456789ab")
    @Argument(help: "The promotion's id, or ENVIRONMENT/ID.") var promotion: Addressed
    @OptionGroup var connection: Connection

    func run() async throws {
        let client = try connection.client()
        let start = try await promotion.find(client, "promotions", as: WirePromotion.self)
        let end = try await PromotionFollower(client: client, isQuiet: connection.json).follow(start)
        if connection.json { return try Output.json(end) }
    }
}
