import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite struct EndpointStoreTests {
    static func wish(_ slot: String = "late", revision: Int64, weight: Int = 100) throws -> WantedEndpoint {
        WantedEndpoint(
            slot: try SlotName(parsing: slot), project: try ProjectName(parsing: "flights"), generation: 1, revision: revision,
            deployments: [
                EndpointDeployment(
                    release: ContentDigest(of: "r"), modelName: "late", modelVersion: 3, modelDigest: ContentDigest(of: "m"),
                    lockDigest: ContentDigest(of: "l"), pythonVersion: "3.11", weight: weight)
            ], workers: 2, capture: 0.5)
    }

    @Test("a wish reads back whole, and is gone once removed")
    func roundTrip() async throws {
        let fixture = try await TestRealm()
        let wish = try Self.wish(revision: 7)
        let (read, all) = try await fixture.database.write { tx in
            let store = EndpointStore(tx: tx)
            try store.want(wish, at: Timestamp(milliseconds: 1))
            return (try store.wanted(wish.slot), try store.all())
        }
        #expect(read == wish)
        #expect(all == [wish])
        let after = try await fixture.database.write { tx in
            let store = EndpointStore(tx: tx)
            #expect(try store.remove(wish.slot))
            #expect(try !store.remove(wish.slot))
            return try store.wanted(wish.slot)
        }
        #expect(after == nil)
    }

    @Test("a newer revision wins, and an older or equal one changes nothing")
    func revisions() async throws {
        let fixture = try await TestRealm()
        let newer = try Self.wish(revision: 8)
        let older = try Self.wish(revision: 7, weight: 0)
        let equal = try Self.wish(revision: 8, weight: 0)
        let read = try await fixture.database.write { tx in
            let store = EndpointStore(tx: tx)
            #expect(try store.want(newer, at: Timestamp(milliseconds: 1)))
            #expect(try !store.want(older, at: Timestamp(milliseconds: 2)))
            #expect(try !store.want(equal, at: Timestamp(milliseconds: 3)))
            return try store.wanted(newer.slot)
        }
        #expect(read == newer)
    }
}
