import Foundation
import Hummingbird
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayWire
import Testing

@Suite("Promotion routes")
struct PromotionRouteTests {
    private func server() async throws -> (server: TestServer, token: String, auditor: String) {
        let server = try await TestServer()
        try await server.bootstrap([
            ("root", [:]), ("max", [.stage: [.admin, .engineer, .operator], .prod: [.admin, .engineer]]), ("aud", [.stage: [.auditor]]),
        ])
        return (server, try await server.token("max"), try await server.token("aud"))
    }

    private func decoded<T: Decodable>(_ text: String, as type: T.Type) throws -> T { try WireCoder.decode(type, from: Data(text.utf8)) }

    @Test("the shipped policy is in force until another is installed; a bad one is refused with its line")
    func policy() async throws {
        let (server, token, _) = try await server()
        let shipped = try await server.send(.get, "/api/v1/prod/policy?project=flights", token: token)
        #expect(try decoded(shipped.text, as: WirePolicy.self).version == 0)
        let bad = try await server.send(.put, "/api/v1/prod/policy", token: token, body: #"{"project": "flights", "text": "environment: prod\nroleAge: soon"}"#)
        #expect(bad.status == .badRequest && bad.text.contains("Line 2"))
        let wrong = try await server.send(.put, "/api/v1/stage/policy", token: token, body: #"{"project": "flights", "text": "environment: prod"}"#)
        #expect(wrong.status == .badRequest)
        let good = try await server.send(.put, "/api/v1/prod/policy", token: token, body: #"{"project": "flights", "text": "name: demo\nenvironment: prod"}"#)
        #expect(good.status == .ok)
        let shown = try decoded(await server.send(.get, "/api/v1/prod/policy?project=flights", token: token).text, as: WirePolicy.self)
        #expect(shown.name == "demo" && shown.version == 1 && shown.installedBy == "user:max")
        #expect(try await server.send(.get, "/api/v1/prod/policy?project=flights", token: server.token("root")).status == .forbidden)
    }

    @Test("a request names what is wrong: no such release, or each reason why it is not eligible")
    func request() async throws {
        let (server, token, _) = try await server()
        let unknown = try await server.send(.post, "/api/v1/stage/promotions", token: token, body: #"{"release": "abcd1234"}"#)
        #expect(unknown.status == .notFound && unknown.text.contains("slipway release list"))
        let digest = ContentDigest(of: "x")
        let release = try Release(
            content: .init(
                project: ProjectName(unchecked: "flights"), kind: .code, commit: String(repeating: "a", count: 40), tree: "t", lockDigest: digest, modelName: "m",
                modelDigest: digest, trainingRun: "r", trainingEnvironment: .stage, snapshots: [:], contracts: [:], configDigests: [:]),
            createdAt: Timestamp(milliseconds: 0), createdBy: "user:max", modelVersion: 1, execution: "e", metrics: [:])
        _ = try await server.foundations.realms[.stage]!.database.write { tx in try ReleaseStore(tx: tx).insert(release) }
        let refused = try await server.send(.post, "/api/v1/stage/promotions", token: token, body: #"{"release": "\#(release.id.short)"}"#)
        #expect(refused.status == .unprocessableContent || refused.status == .notFound, "\(refused.text)")
        let listed = try decoded(await server.send(.get, "/api/v1/stage/releases", token: token).text, as: WirePage<WireRelease>.self)
        #expect(listed.items.map(\.id) == [release.id.rawValue])
        #expect(try await server.send(.get, "/api/v1/stage/releases/\(release.id.short)", token: token).status == .ok)
        #expect(try await server.send(.post, "/api/v1/stage/promotions/nope/dance", token: token, body: "{}").status == .notFound)
    }

    @Test("freezes are added, listed and lifted; the chain of all that is whole")
    func freezes() async throws {
        let (server, token, auditor) = try await server()
        let added = try await server.send(.post, "/api/v1/stage/freezes", token: token, body: #"{"project": "flights", "reason": "incident 4711", "lifetime": "4h"}"#)
        #expect(added.status == .created)
        let freeze = try decoded(added.text, as: WireFreeze.self)
        #expect(freeze.expiresAt != nil && freeze.owner == "user:max")
        #expect(try await server.send(.post, "/api/v1/stage/freezes", token: auditor, body: #"{"project": "flights", "reason": "no right"}"#).status == .forbidden)
        #expect(try await server.send(.delete, "/api/v1/stage/freezes/\(freeze.id!)", token: token).status == .ok)
        let listed = try decoded(await server.send(.get, "/api/v1/stage/freezes", token: token).text, as: WirePage<WireFreeze>.self)
        #expect(listed.items.first?.liftedBy == "user:max")
        let verdict = try decoded(await server.send(.post, "/api/v1/stage/audit/verify", token: auditor).text, as: WireAuditVerdict.self)
        #expect(verdict.broken == nil && verdict.verified >= 2)
        let events = try decoded(
            await server.send(.get, "/api/v1/stage/audit?project=flights&subject=freeze:\(freeze.id!)", token: auditor).text, as: WirePage<WireAuditEvent>.self)
        #expect(events.items.map(\.action) == ["freeze.lift", "freeze.add"])
    }
}
