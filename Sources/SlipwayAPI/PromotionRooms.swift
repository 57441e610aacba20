import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP

/// The promotion services of the environments that run in this process.
package struct PromotionRooms: Sendable {
    let services: [EnvironmentID: PromotionService]

    package init(_ services: [EnvironmentID: PromotionService]) { self.services = services }

    func service(_ context: SlipwayContext) throws -> PromotionService {
        let environment = try context.environment()
        guard let service = services[environment] else {
            throw SlipwayError(
                .unavailable, "\(environment.rawValue) does not run in this process.", remedy: "Ask the server that runs it, or start this one without --environment.")
        }
        return service
    }
}

extension Request {
    /// `?project=`, nil when it is not given.
    func optionalProject() throws -> ProjectName? { try query("project").map(ProjectName.init(parsing:)) }
}
