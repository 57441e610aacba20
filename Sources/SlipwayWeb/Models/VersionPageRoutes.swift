import Hummingbird
import Promotions
import Registry
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/models/{name}/versions/{version}`
package struct VersionPageRoutes: Sendable {
    let rooms: WebRooms

    private static let releasesMax = 200
    private static let othersMax = 200

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.version.rawValue), use: show)
    }

    /// `GET /{env}/models/{name}/versions/{version}?with=`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.registries, environment)
        let (name, caller) = (try context.parameter("name"), context.caller)
        let version = try await service.version(Self.number(try context.parameter("version")), of: name, by: caller)
        let carriers = try await carriers(of: version, by: caller)
        var page = VersionPage(
            frame: rooms.frame(environment, caller), version: version, origin: try await origin(of: version, carriers, in: environment, by: caller), carriers: carriers,
            files: try await service.files(of: version.version, model: name, by: caller),
            others: try await service.versions(of: name, limit: Self.othersMax, by: caller).map(\.version).filter { $0 != version.version })
        if let with = QueryFields(request)["with"] {
            let other = try await service.version(Self.number(with), of: name, by: caller)
            page.other = VersionPage.Other(
                version: other, origin: try await origin(of: other, try await self.carriers(of: other, by: caller), in: environment, by: caller),
                files: try await service.files(of: other.version, model: name, by: caller))
        }
        return .page(VersionView.html(page))
    }

    private static func number(_ text: String) throws -> Int {
        guard let number = Int(text), number > 0 else { throw SlipwayError.notFound("'\(text.prefix(40))' is not the number of a version.") }
        return number
    }

    /// Releases with the version's bytes, in every environment that runs here and that the caller may read.
    private func carriers(of version: ModelVersion, by caller: Caller) async throws -> [VersionPage.Carrier] {
        guard let digest = version.manifestDigest else { return [] }
        var carriers: [VersionPage.Carrier] = []
        for environment in EnvironmentID.allCases {
            guard let service = rooms.promotions[environment], caller.may(.readMetadata, project: version.project, environment: environment) else { continue }
            let releases = try await service.releases(project: version.project, limit: Self.releasesMax, by: caller)
                .filter { $0.content.modelName == version.name && $0.content.modelDigest == digest }
            if releases.isEmpty { continue }
            let slots = try await service.slots(project: version.project, by: caller)
            for release in releases.prefix(10) {
                carriers.append(
                    VersionPage.Carrier(
                        environment: environment, release: release, promotions: try await service.release(release.id.rawValue, by: caller).promotions,
                        slots: slots.filter { $0.current == release.id || $0.fallback == release.id }))
            }
        }
        return carriers
    }

    /// The run that made it: here, or where the release was trained. Nil when it is gone or the caller may not read it.
    private func origin(
        of version: ModelVersion, _ carriers: [VersionPage.Carrier], in environment: EnvironmentID, by caller: Caller
    ) async throws -> VersionPage.Origin? {
        var places: [(EnvironmentID, String)] = []
        if let run = version.run { places.append((environment, run)) }
        if let content = carriers.first?.release.content { places.append((content.trainingEnvironment, content.trainingRun)) }
        for (place, id) in places {
            guard let tracking = rooms.tracking[place] else { continue }
            do {
                let record = try await tracking.run(id, by: caller)
                return VersionPage.Origin(environment: place, run: record.run, details: record.details)
            } catch let error as SlipwayError where [.notFound, .notAllowed, .invalidArgument].contains(error.code) {
                continue
            }
        }
        return nil
    }
}
