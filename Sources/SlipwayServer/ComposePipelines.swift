import Foundation
import Pipelines
import SlipwayAPI
import SlipwayCore
import SlipwayRuntime
import SlipwayStore

extension House {
    /// Git hosting, executions and their scheduler, in every realm.
    mutating func addPipelines() throws {
        let repositories = try GitRepositories(root: foundations.folder.appending(path: "git"))
        let realms = foundations.realms
        // Code arrives in dev; a server without dev sees the pushes of the realm that it has.
        guard let arrivals = realms[.dev] ?? realms[.stage] ?? realms[.prod] else { return }
        let history = GitHistory(
            repositories: repositories, pushes: arrivals.database, heads: [realms[.stage], realms[.dev], realms[.prod]].compactMap { $0?.database })
        let environments = EnvironmentBuilder(root: foundations.folder.appending(path: "environments"))
        let launcher = try StepLauncher.find()
        for (environment, realm) in realms {
            let service = ExecutionService(realm: realm, history: history, clock: foundations.clock, ids: foundations.ids, logger: foundations.logger)
            let driver = ExecutionDriver(
                service: service, launcher: launcher, environments: environments, tokens: foundations.access,
                trackingURI: "\(foundations.address)/\(environment.rawValue)")
            executions[environment] = service
            evaluations[environment] = service
            retraining[environment] = service
            services.append(Scheduler(service: service, driver: driver))
        }
        let receiver = PushReceiver(
            realms: realms, history: history, executions: executions, clock: foundations.clock, ids: foundations.ids, logger: foundations.logger)
        let host = GitHost(control: foundations.control, repositories: repositories, history: history, receiver: receiver, program: launcher.program, logger: foundations.logger)
        codeHistory = history
        if realms[.dev] != nil {
            services.append(PushWatch(receiver: receiver))
            GitRoutes(host: host).add(to: router)
        }
        ExecutionRoutes(services: executions).add(to: api)
    }
}
