import Foundation
import Pipelines
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct PushTests {
    private func pushes(_ house: PipelineHouse) async throws -> [PushEvent] {
        try await house.dev.database.read { tx in try PushStore(tx: tx).list(project: house.project, limit: 100) }
    }

    private func executions(_ house: PipelineHouse, _ realm: TestRealm) async throws -> [Execution] {
        try await realm.database.read { tx in try ExecutionStore(tx: tx).list(project: house.project, limit: 100) }
    }

    static let files = ["slipway.yaml": PipelineHouse.yaml("  train: { run: 'true' }"), "requirements.txt": PipelineHouse.requirements]

    @Test("a push is one event, however often it is looked for, and starts what its branch asks for")
    func once() async throws {
        let house = try await PipelineHouse()
        let commit = try await house.commit(Self.files, branch: "feature/x")
        #expect(try await house.push("feature/x").status == 0)
        for _ in 0..<3 { try await house.receiver.reconcile(house.project) }
        let events = try await pushes(house)
        #expect(events.map(\.ref) == ["refs/heads/feature/x"])
        #expect(events[0].new == commit && events[0].old == nil && events[0].pusher == "user:ada")
        #expect(try await executions(house, house.dev).map(\.commit) == [commit])
        #expect(try await executions(house, house.stage).isEmpty)
        let spool = house.history.repositories.folder(of: house.project).appending(path: "slipway-spool")
        #expect(try FileManager.default.contentsOfDirectory(atPath: spool.path).isEmpty)
    }

    @Test("the main line runs in stage, and its file is in force in every realm")
    func mainLine() async throws {
        let house = try await PipelineHouse()
        let commit = try await house.commit(Self.files)
        _ = try await house.push("main")
        try await house.receiver.reconcile(house.project)
        #expect(try await executions(house, house.dev).isEmpty)
        #expect(try await executions(house, house.stage).map(\.branch) == ["main"])
        for realm in [house.dev, house.stage] {
            let current = try await realm.database.read { tx in try ProjectFileStore(tx: tx).current(of: house.project) }
            #expect(current?.commit == commit)
        }
        #expect(try await house.history.isOnMainLine(commit, of: house.project))
    }

    @Test("pushes made while nobody looked are all found, each with its pusher")
    func missed() async throws {
        let house = try await PipelineHouse()
        let repository = try await house.history.repositories.open(house.project)
        var commits: [String] = []
        for pusher in ["user:ada", "user:grace", "user:ada"] {
            commits.append(try await house.commit(Self.files, branch: "work"))
            // The server was killed right after Git had moved the ref: the hook has run, nothing else.
            let pushed = try await CommandRunForTests.git(["push", "--quiet", repository.path, "work"], pusher: pusher, in: house.clone)
            #expect(pushed.status == 0, "\(pushed.error)")
        }
        try await house.receiver.reconcileAll()
        let events = try await pushes(house).reversed()
        #expect(events.map(\.new) == commits)
        #expect(events.map(\.pusher) == ["user:ada", "user:grace", "user:ada"])
        #expect(try await executions(house, house.dev).count == 3)
        let authors = try await house.history.authors(of: house.project, commit: commits[2], since: commits[0])
        #expect(authors == ChangeAuthors(emails: ["ada@example.org", "grace@example.org"], pushers: ["user:grace", "user:ada"]))
        let summaries = try await house.history.commits(of: house.project, commit: commits[2], since: commits[0], limit: 10)
        #expect(summaries.map(\.commit) == [commits[2], commits[1]])
        #expect(summaries[0].subject == "work on work")
    }

    @Test("the main line moves only forward and stays; other branches may be rewritten and deleted")
    func protection() async throws {
        let house = try await PipelineHouse()
        _ = try await house.commit(Self.files)
        _ = try await house.commit(Self.files)
        #expect(try await house.push("main").status == 0)
        try await house.git("reset", "--quiet", "--hard", "HEAD~1")
        let rewritten = try await house.commit(["other": "x"])
        let refused = try await house.push("main", force: true)
        #expect(refused.status != 0)
        #expect(refused.error.contains("slipway: The main line only moves forward"), "\(refused.error)")
        let deleted = try await house.push(":refs/heads/main")
        #expect(deleted.error.contains("slipway: The main line cannot be deleted"), "\(deleted.error)")
        #expect(try await house.push("main:work").status == 0)
        _ = try await house.commit(["other": "y"])
        #expect(try await house.push("HEAD:refs/heads/work").status == 0)
        #expect(try await house.push("HEAD~1:refs/heads/work", force: true).status == 0)
        try await house.receiver.reconcile(house.project)
        #expect(try await house.push(":refs/heads/work").status == 0)
        try await house.receiver.reconcile(house.project)
        #expect(try await pushes(house).first?.new == nil)
        #expect(try await !house.history.isOnMainLine(rewritten, of: house.project))
    }

    @Test(
        "hostile names of branches are refused with a sentence and run nothing",
        arguments: [
            "$(touch${IFS}owned)", "a;touch owned", "x`id`", "-rf", "a'b", "ünïcode", "a&b",
        ])
    func hostile(name: String) async throws {
        let house = try await PipelineHouse()
        _ = try await house.commit(Self.files)
        let pushed = try await house.push("HEAD:refs/heads/\(name)")
        #expect(pushed.status != 0)
        try await house.receiver.reconcile(house.project)
        #expect(try await pushes(house).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: house.history.repositories.folder(of: house.project).appending(path: "owned").path))
        await #expect(throws: SlipwayError.self) { try await house.history.head(of: name, in: house.project) }
    }

    @Test(
        "a file with mistakes starts nothing and says why",
        arguments: [
            (["slipway.yaml": "project: flights\nowner: x\npipeline:\n  a: { run: b, needs: [c] }\n  c: { run: d, needs: [a] }\n"], "circle"),
            (["slipway.yaml": PipelineHouse.yaml("  a: { run: 'true' }").replacing("project: flights", with: "project: other")], "this is the repository of 'flights'"),
            (["README": "x"], "has no slipway.yaml"),
        ])
    func mistakes(files: [String: String], says: String) async throws {
        let house = try await PipelineHouse()
        _ = try await house.commit(files, branch: "work")
        #expect(try await house.push("work").status == 0)
        try await house.receiver.reconcile(house.project)
        let event = try #require(try await pushes(house).first)
        #expect(event.message?.contains(says) == true, "\(event.message ?? "")")
        #expect(event.handledAt != nil)
        #expect(try await executions(house, house.dev).isEmpty)
    }

    @Test("commits and paths are checked before Git sees them", arguments: ["HEAD", "--all", "main", String(repeating: "g", count: 40), "../x"])
    func inputs(commit: String) async throws {
        let house = try await PipelineHouse()
        _ = try await house.commit(Self.files)
        _ = try await house.push("main")
        await #expect(throws: SlipwayError.self) { try await house.history.tree(of: commit, project: house.project) }
        let head = try #require(try await house.history.head(of: "main", in: house.project))
        await #expect(throws: SlipwayError.self) { try await house.history.file("../\(commit)", at: head, of: house.project) }
        #expect(try await house.history.file("nothing", at: head, of: house.project) == nil)
        let file = try #require(try await house.history.file("requirements.txt", at: head, of: house.project))
        #expect(String(decoding: file, as: UTF8.self) == PipelineHouse.requirements)
        let out = house.folder.url.appending(path: "out")
        try await house.history.checkOut(head, of: house.project, to: out.path)
        #expect(FileManager.default.fileExists(atPath: out.appending(path: "slipway.yaml").path))
    }
}
