import ArgumentParser
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct DataRefreshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh", abstract: "Refresh a dataset from the environment above by its adopted recipe (stewards).",
        discussion: "Example: slipway data refresh stage/flights")
    @Argument(help: "The dataset, such as stage/flights.") var dataset: SnapshotName
    @OptionGroup var data: DataConnection

    func run() async throws {
        let done = try await data.patient().post("\(dataset.datasetPath)/refresh\(data.query())", WireNothing(), as: WireRefresh.self)
        if data.isJSON { return try Output.json(done) }
        guard let id = done.snapshot else { return Output.note("Nothing newer is there.") }
        let snapshot = try await data.connection.client().get("\(dataset.datasetPath)/snapshots/\(pathPart(id))\(data.query())", as: WireSnapshot.self)
        DataText.show(snapshot)
    }
}

struct DataRecipes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipes", abstract: "How an environment's data is refreshed: what is in force, what was offered, when it is due.",
        discussion: "Example: slipway data recipes stage\n         slipway data recipes stage/flights")
    @Argument(help: "An environment, or a dataset such as stage/flights.") var place: String
    @OptionGroup var data: DataConnection

    func run() async throws {
        let client = try data.connection.client()
        if let name = SnapshotName(argument: place) {
            let page = try await client.get("\(name.datasetPath)/recipes\(data.query())", as: WirePage<WireRecipe>.self)
            if data.isJSON { return try Output.json(page) }
            return show(page.items, in: name.environment)
        }
        let environment = try EnvironmentID(parsing: place)
        let page = try await client.get("/api/v1/\(environment.rawValue)/data\(data.query())", as: WirePage<WireDataset>.self)
        if data.isJSON { return try Output.json(page) }
        show(page.items.flatMap { [$0.recipe, $0.offered].compactMap(\.self) }, in: environment)
        for item in page.items where item.recipe != nil {
            let last = item.lastRefresh.map { "last \($0.state) \($0.endedAt ?? $0.startedAt ?? "")\($0.message.map { ": \($0)" } ?? "")" } ?? "never refreshed"
            Output.note("\(item.dataset): \(last); \(item.isMissed ? "MISSED, was due" : "next") \(item.nextRefresh ?? "")")
        }
    }

    private func show(_ recipes: [WireRecipe], in environment: EnvironmentID) {
        Output.table(
            ["dataset", "recipe", "state", "from", "every", "sample", "mask", "commit", "adopted by"],
            recipes.map { recipe in
                [
                    recipe.dataset, String(recipe.digest.prefix(12)), recipe.isInForce ? "in force" : recipe.adoptedAt == nil ? "offered" : "former", recipe.from,
                    recipe.every, recipe.sample < 1 ? "\(recipe.sample * 100) %" : "all",
                    recipe.mask.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "),
                    String(recipe.commit.prefix(12)), recipe.adoptedBy ?? "",
                ]
            }, empty: "No recipes in \(environment.rawValue). Declare 'data.<dataset>.refresh.\(environment.rawValue)' in slipway.yaml and push it.")
    }
}

struct DataAdopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Put an offered refresh recipe in force (stewards).", discussion: "Example: slipway data adopt stage/flights 3f2a9c81d0e4")
    @Argument(help: "The dataset, such as stage/flights.") var dataset: SnapshotName
    @Argument(help: "The recipe's digest, or its first digits; the offered one when missing.") var digest: String?
    @OptionGroup var data: DataConnection

    func run() async throws {
        let client = try data.connection.client()
        var chosen = digest
        if chosen == nil { chosen = try await offered(client) }
        guard let chosen else {
            throw SlipwayError.notFound(
                "No recipe waits for '\(dataset.dataset)' in \(dataset.environment.rawValue).", remedy: "See them: slipway data recipes \(dataset.environment.rawValue)")
        }
        let recipe = try await client.post("\(dataset.datasetPath)/recipes/\(pathPart(chosen))/adopt\(data.query())", WireNothing(), as: WireRecipe.self)
        if data.isJSON { return try Output.json(recipe) }
        Output.note("\(dataset.environment.rawValue)/\(dataset.dataset) is refreshed every \(recipe.every) from \(recipe.from) by recipe \(recipe.digest.prefix(12)).")
    }

    private func offered(_ client: APIClient) async throws -> String? {
        let page = try await client.get("\(dataset.datasetPath)/recipes\(data.query())", as: WirePage<WireRecipe>.self)
        return page.items.first { $0.adoptedAt == nil }?.digest
    }
}
