import Foundation
import Registry
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization
import Testing

@testable import Webhooks

@Suite("Webhooks")
struct WebhookTests {
    /// Answers as told and keeps what was sent. An address with `hangs` in it never answers.
    private final class FakePost: WebhookPost {
        private let answers: Mutex<[WebhookAnswer]>
        private let stream: AsyncStream<WebhookMessage>
        private let continuation: AsyncStream<WebhookMessage>.Continuation

        init(_ answers: [WebhookAnswer] = []) {
            self.answers = Mutex(answers)
            (stream, continuation) = AsyncStream.makeStream()
        }

        func send(_ message: WebhookMessage, host: String, address: String?, timeout: Duration) async throws -> WebhookAnswer {
            continuation.yield(message)
            if host.contains("hangs") { try await Task.sleep(for: .seconds(3600)) }
            return answers.withLock { $0.isEmpty ? WebhookAnswer(status: 200) : $0.removeFirst() }
        }

        func sent(_ count: Int) async -> [WebhookMessage] {
            var found: [WebhookMessage] = []
            for await message in stream {
                found.append(message)
                if found.count == count { break }
            }
            return found
        }
    }

    private struct Fixture {
        let realm: TestRealm
        let service: WebhookService
        let registry: RegistryService
        let post: FakePost

        init(_ answers: [WebhookAnswer] = [], settings: [String: String] = [:], allowsPrivate: Bool = true) async throws {
            realm = try await TestRealm()
            post = FakePost(answers)
            service = WebhookService(
                realm: realm.realm,
                settings: WebhookSettings(schemes: ["http", "https"], allowsPrivateAddresses: allowsPrivate, backOff: .milliseconds(1)),
                seal: try WebhookSeal(settings: settings, file: realm.folder.url.appending(path: "webhook-key")), post: post, clock: FakeClock(), ids: CountingIDs(),
                logger: quietLogger)
            registry = RegistryService(realm: realm.realm, clock: FakeClock(), logger: quietLogger, notices: service)
        }

        func create(_ url: String, _ events: [RegistryEvent.Kind], secret: String? = nil, name: String = "hook", by caller: Caller = .laptop) async throws -> Webhook {
            try await service.create(.init(name: name, url: url, events: events, description: nil, secret: secret, status: nil), by: caller)
        }

        /// Delivers while `body` runs.
        func delivering<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
            try await withThrowingTaskGroup(of: T?.self) { group in
                group.addTask {
                    try await WebhookDelivery(service).run()
                    return nil
                }
                group.addTask { try await body() }
                defer { group.cancelAll() }
                while let result = try await group.next() { if let result { return result } }
                throw CancellationError()
            }
        }
    }

    @Test("a refusal for the moment is tried again under the same delivery id, signed over id, time and body")
    func retries() async throws {
        let fixture = try await Fixture([WebhookAnswer(status: 503), WebhookAnswer(status: 429, retryAfter: .zero), WebhookAnswer(status: 200)])
        _ = try await fixture.create("https://a.example/hook", [.init(.model, .created)], secret: "s3cret")
        let sent = try await fixture.delivering {
            _ = try await fixture.registry.createModel("delay", description: "d", tags: ["a": "b"], by: .laptop)
            return await fixture.post.sent(3)
        }
        let headers = sent.map { Dictionary($0.headers.map { ($0.name, $0.value) }) { $1 } }
        #expect(Set(headers.map { $0["X-MLflow-Delivery-Id"] }).count == 1)
        let (id, time) = (try #require(headers[0]["X-MLflow-Delivery-Id"]), try #require(headers[0]["X-MLflow-Timestamp"]))
        #expect(headers[0]["X-MLflow-Signature"] == WebhookService.signature(secret: "s3cret", delivery: id, timestamp: time, body: sent[0].body))
        let body = try CanonicalJSON.decode(JSONValue.self, from: sent[0].body)
        #expect(body["entity"]?.string == "registered_model" && body["action"]?.string == "created")
        #expect(body["data"] == ["name": "delay", "description": "d", "tags": ["a": "b"]])
    }

    @Test("the signature is what a receiver computes from the documentation")
    func signature() {
        // printf 'd.1.{}' | openssl dgst -sha256 -hmac key -binary | base64
        #expect(WebhookService.signature(secret: "key", delivery: "d", timestamp: "1", body: "{}") == "v1,WzwdZDO78EdVirfBSa1OuH7XL4a9QJ5Q2jTCZVmM0eE=")
    }

    @Test("a receiver that hangs holds up neither the change nor the next receiver")
    func hanging() async throws {
        let fixture = try await Fixture()
        let kinds = [RegistryEvent.Kind(.model, .created)]
        _ = try await fixture.create("https://good.example", kinds)
        _ = try await fixture.create("https://hangs.example", kinds)
        let models = 20
        let sent = try await fixture.delivering {
            for number in 0..<models { _ = try await fixture.registry.createModel("m\(number)", description: nil, tags: [:], by: .laptop) }
            return await fixture.post.sent(models + WebhookLanes.atOnceMax)
        }
        #expect(sent.filter { $0.url.contains("good") }.count == models)
        #expect(sent.filter { $0.url.contains("hangs") }.count == WebhookLanes.atOnceMax)
    }

    @Test("each change is told as MLflow tells it, prompts as prompts")
    func events() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.create("https://a.example", RegistryEvent.Kind.all)
        let sent = try await fixture.delivering {
            let registry = fixture.registry
            _ = try await registry.createModel("m", description: nil, tags: [:], by: .laptop)
            _ = try await registry.createVersion(
                NewModelVersion(name: "m", source: "s3://bucket/m", run: nil, loggedModel: nil, runLink: nil, description: nil, tags: ["k": "v"]), by: .laptop)
            try await registry.setTag("k", "w", of: "m", version: 1, by: .laptop)
            try await registry.move(alias: "best", of: "m", to: 1, by: .laptop)
            try await registry.delete(alias: "best", of: "m", by: .laptop)
            try await registry.setTag("quiet", "1", of: "m", by: .laptop)
            _ = try await registry.createModel("p", description: nil, tags: [PromptTags.isPrompt: "true", "own": "1"], by: .laptop)
            try await registry.setTag("k", "v", of: "p", by: .laptop)
            try await registry.deleteTag("k", of: "p", by: .laptop)
            return await fixture.post.sent(8)
        }
        // Deliveries to one receiver run side by side, so their order is not told.
        let told = try sent.map { try CanonicalJSON.decode(JSONValue.self, from: $0.body) }
            .map { "\($0["entity"]?.string ?? "").\($0["action"]?.string ?? "") \((try? CanonicalJSON.text($0["data"] ?? .null)) ?? "")" }.sorted()
        #expect(
            told == [
                #"model_version.created {"description":null,"name":"m","run_id":null,"source":"s3://bucket/m","tags":{"k":"v"},"version":"1"}"#,
                #"model_version_alias.created {"alias":"best","name":"m","version":"1"}"#,
                #"model_version_alias.deleted {"alias":"best","name":"m"}"#,
                #"model_version_tag.set {"key":"k","name":"m","value":"w","version":"1"}"#,
                #"prompt.created {"description":"","name":"p","tags":{"own":"1"}}"#,
                #"prompt_tag.deleted {"key":"k","name":"p"}"#,
                #"prompt_tag.set {"key":"k","name":"p","value":"v"}"#,
                #"registered_model.created {"description":"","name":"m","tags":{}}"#,
            ])
    }

    @Test("a deleted or disabled webhook is told nothing more, and another project's nothing at all")
    func silence() async throws {
        let fixture = try await Fixture()
        let kinds = [RegistryEvent.Kind(.model, .created)]
        let gone = try await fixture.create("https://gone.example", kinds)
        let off = try await fixture.create("https://off.example", kinds)
        let flights = ProjectName(unchecked: "flights")
        let ada = Caller(
            principal: .user(UserName(unchecked: "ada")), grants: [RoleGrant(project: flights, environment: .dev, role: .contributor, grantedAt: Timestamp(milliseconds: 0))],
            homeProject: flights)
        _ = try await fixture.create("https://flights.example", kinds, by: ada)
        _ = try await fixture.create("https://last.example", kinds, name: "last")
        try await fixture.service.delete(gone.id, by: .laptop)
        _ = try await fixture.service.update(off.id, .init(name: nil, url: nil, events: nil, description: nil, secret: nil, status: .disabled), by: .laptop)
        let sent = try await fixture.delivering {
            _ = try await fixture.registry.createModel("m", description: nil, tags: [:], by: .laptop)
            return await fixture.post.sent(1)
        }
        #expect(sent.map(\.url) == ["https://last.example"])
        #expect(try await !fixture.service.webhooks(limit: 10, offset: 0, by: .laptop).items.map(\.url).contains("https://flights.example"))
        let foreign = await #expect(throws: SlipwayError.self) { try await fixture.service.webhook(off.id, by: Caller(principal: .user(UserName(unchecked: "eve")), grants: [])) }
        #expect(foreign?.code == .notFound)
    }

    @Test("a secret is encrypted at rest, and another key does not open it")
    func sealing() async throws {
        let fixture = try await Fixture(settings: ["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "sixteen bytes or more"])
        let webhook = try await fixture.create("https://a.example", [.init(.model, .created)], secret: "hush hush")
        let stored = try await fixture.realm.database.read { tx in try WebhookStore(tx: tx).webhook(webhook.id)?.sealedSecret }
        let sealed = try #require(stored)
        #expect(!sealed.contains("hush") && sealed != Data("hush hush".utf8).base64EncodedString())
        #expect(try fixture.service.seal.open(sealed) == "hush hush")
        let other = try WebhookSeal(settings: [:], file: fixture.realm.folder.url.appending(path: "another-key"))
        #expect(throws: SlipwayError.self) { try other.open(sealed) }
        let kept = try other.seal("x")
        #expect(try WebhookSeal(settings: [:], file: fixture.realm.folder.url.appending(path: "another-key")).open(kept) == "x")
        #expect(throws: SlipwayError.self) { try WebhookSeal(settings: ["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "short"], file: URL(filePath: "/dev/null")) }
    }

    @Test(
        "names and addresses that may not be are refused",
        arguments: [
            ("", "https://a.example"), ("-a", "https://a.example"), ("a/b", "https://a.example"), (String(repeating: "a", count: 64), "https://a.example"),
            ("a", "   "), ("a", "ftp://a.example"), ("a", "file:///etc/passwd"), ("a", "http://[invalid"), ("a", "https://"), ("a", "https://u:p@a.example"),
            ("a", "https://127.0.0.1/"), ("a", "http://[::1]:9/"), ("a", "http://[::ffff:10.0.0.1]/"), ("a", "http://localhost:1"),
            ("a", "http://169.254.169.254/latest/meta-data"),
            ("a", "http://2130706433/"), ("a", "http://a.example/\r\nX: y"),
        ])
    func refusals(name: String, url: String) async throws {
        let fixture = try await Fixture(allowsPrivate: false)
        let error = await #expect(throws: SlipwayError.self) { try await fixture.create(url, [.init(.model, .created)], name: name) }
        #expect(error?.code == .invalidArgument, "\(String(describing: error))")
    }

    @Test("only public addresses count as public")
    func addresses() {
        for text in ["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"] {
            #expect(!NetworkAddress(bytes: text.split(separator: ".").map { UInt8($0)! }).isPublic, "\(text)")
        }
        for text in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1"] {
            #expect(NetworkAddress(bytes: text.split(separator: ".").map { UInt8($0)! }).isPublic, "\(text)")
        }
        let v6 = { (head: [UInt8]) in NetworkAddress(bytes: head + [UInt8](repeating: 0, count: 15 - head.count) + [1]) }
        for head: [UInt8] in [[], [0xFE, 0x80], [0xFC], [0xFD], [0x20, 0x01, 0x0D, 0xB8], [0x20, 0x02, 10], [0x00, 0x64, 0xFF, 0x9B], [0xFF, 0x02]] { #expect(!v6(head).isPublic) }
        #expect(v6([0x2A, 0x00]).isPublic && v6([0x20, 0x01, 0x48, 0x60]).isPublic)
    }

    @Test("settings are read with MLflow's names, and nonsense leaves the default")
    func settings() {
        #expect(WebhookSettings(settings: [:]) == WebhookSettings())
        let read = WebhookSettings(settings: [
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,gopher", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "True", "MLFLOW_WEBHOOK_REQUEST_TIMEOUT": "7",
            "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "-1",
        ])
        #expect(read.schemes == ["http"] && read.allowsPrivateAddresses && read.timeout == .seconds(7) && read.retriesMax == 3)
    }
}
