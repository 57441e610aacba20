import ArgumentParser
import SlipwayClient
import SlipwayCore
import SlipwayWire

/// What every verb on a promotion needs.
struct PromotionVerb: ParsableArguments {
    @Argument(help: "The promotion's id, or ENVIRONMENT/ID.") var promotion: Addressed
    @Option(help: "Your own id for this request: the same twice is one.") var requestID: String?
    @OptionGroup var connection: Connection

    func find() async throws -> WirePromotion { try await promotion.find(connection.client(), "promotions", as: WirePromotion.self) }

    func send(_ verb: String, to found: WirePromotion, _ body: WireVerb = WireVerb()) async throws {
        var body = body
        body.requestId = requestID
        let changed = try await connection.client().post("/api/v1/\(found.environment)/promotions/\(try pathPart(found.id))/\(verb)", body, as: WirePromotion.self)
        if connection.json { return try Output.json(changed) }
        Output.note("Promotion \(changed.id) is \(changed.state).")
        for reason in changed.reasons { Output.note("  - \(reason.message) \(reason.remedy)") }
    }
}

struct PromotionApprove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Give your word for the plan as it is now.",
        discussion: "Example: slipway promotion approve 0123456789ab --comment \"the slices look right\"")
    @OptionGroup var verb: PromotionVerb
    @Option(help: "What you looked at.") var comment = ""
    @Option(help: "The plan's digest, when you want to be sure that it is the one you read.") var plan: String?

    func run() async throws {
        let found = try await verb.find()
        try await verb.send("approve", to: found, WireVerb(plan: plan ?? found.plan.digest, comment: comment))
    }
}

struct PromotionReject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject", abstract: "End it with a reason.", discussion: "Example: slipway promotion reject 0123456789ab --reason \"the card says nothing of its limits\"")
    @OptionGroup var verb: PromotionVerb
    @Option(help: "Why.") var reason: String

    func run() async throws { try await verb.send("reject", to: verb.find(), WireVerb(reason: reason)) }
}

struct PromotionApply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Start what was approved: load, shift the traffic step by step, verify.",
        discussion: "Example: slipway promotion apply 0123456789ab --watch")
    @OptionGroup var verb: PromotionVerb
    @Flag(help: "Follow it until it is live.") var watch = false

    func run() async throws {
        let found = try await verb.find()
        guard watch else { return try await verb.send("apply", to: found) }
        let client = try verb.connection.client()
        let changed = try await client.post(
            "/api/v1/\(found.environment)/promotions/\(try pathPart(found.id))/apply", WireVerb(requestId: verb.requestID), as: WirePromotion.self)
        let end = try await PromotionFollower(client: client, isQuiet: verb.connection.json).follow(changed)
        if verb.connection.json { try Output.json(end) }
    }
}

struct PromotionCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Run the gates of a blocked promotion again, under a plan that fits.", discussion: "Example: slipway promotion check 0123456789ab")
    @OptionGroup var verb: PromotionVerb
    func run() async throws { try await verb.send("check", to: verb.find()) }
}

struct PromotionWithdraw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Take a request back.", discussion: "Example: slipway promotion withdraw 0123456789ab")
    @OptionGroup var verb: PromotionVerb
    func run() async throws { try await verb.send("withdraw", to: verb.find()) }
}

struct PromotionAbort: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "Stop a promotion that is being applied and go back.",
        discussion: "Example: slipway promotion abort 0123456789ab --reason \"callers report errors\"")
    @OptionGroup var verb: PromotionVerb
    @Option(help: "Why.") var reason: String
    func run() async throws { try await verb.send("abort", to: verb.find(), WireVerb(reason: reason)) }
}
