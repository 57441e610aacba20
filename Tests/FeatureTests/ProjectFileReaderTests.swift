import Pipelines
import SlipwayCore
import Testing

@Suite struct ProjectFileReaderTests {
    /// The file of `design.md`, whole.
    static let flights = """
        project: flight-delays
        owner: ops-analytics@example.org
        python: { version: "3.11", requirements: requirements.txt }      # locked once per digest, cached
        branches: { stage: main }                                        # dev: any
        data:
          flights:
            checks: checks/flights.yaml                                  # schema, ranges
            expire: { dev: 14d }
            refresh: { stage: { from: prod, every: month, mask: { tailnum: hash } }, dev: { from: stage, every: week, sample: 0.05 } }
            freshness: { prod: 36h }
        pipeline:
          evaluate: { run: python evaluate.py, needs: [train] }
          prepare:  { run: python prepare.py,  inputs: [flights], outputs: [features] }
          train:    { run: python train.py,    needs: [prepare], resources: { cpu: 1, memory: 2GiB, gpu: 0 }, retries: 1 }
        triggers: { push: { dev: "*", stage: main }, schedule: { stage: "0 4 * * 1" }, drift: stage }
        model: { name: flight-delay, kind: model, register: "metrics.auc >= 0.65", card: MODEL_CARD.md }
        gates: { stage: ["metrics.auc >= 0.65", "champion.auc - metrics.auc <= 0.01"], slices: { by: origin, "metrics.auc": ">= 0.60" } }
        serving: { endpoint: flight-delay, workers: 2, rollout: { steps: [5, 25, 100], bake: 10m } }
        monitoring: { capture: 1.0, drift: { method: psi, watch: 0.1, act: 0.25, every: day }, labels: { key: flight_id, time: scheduled_arrival, delay: 1d, coverage: 0.8 }, quality: { "auc": ">= 0.62" } }
        """

    @Test("the project file of the design is read whole, steps in the order of their needs")
    func whole() throws {
        let file = try ProjectFileReader.read(Self.flights)
        #expect(file.project.rawValue == "flight-delays")
        #expect(file.pipeline.map(\.name) == ["prepare", "train", "evaluate"])
        #expect(file.pipeline[1].resources.memory == "2GiB")
        #expect(file.data["flights"]?.refresh[.dev] == ProjectFile.Refresh(from: .stage, every: "week", sample: 0.05))
        #expect(file.data["flights"]?.refresh[.stage]?.mask == ["tailnum": .hash])
        #expect(file.triggers == ProjectFile.Triggers(push: [.dev: "*", .stage: "main"], schedule: [.stage: "0 4 * * 1"], drift: .stage))
        #expect(file.gates.conditions[.stage]?.count == 2)
        #expect(file.gates.slices?.conditions == ["metrics.auc": ">= 0.60"])
        #expect(file.serving?.rolloutSteps == [5, 25, 100])
        #expect(file.monitoring?.quality == ["auc": ">= 0.62"])
    }

    @Test("the same file has the same digest, read again from what is stored")
    func digest() throws {
        let file = try ProjectFileReader.read(Self.flights)
        let text = try CanonicalJSON.text(file)
        for _ in 0..<20 { #expect(try CanonicalJSON.text(CanonicalJSON.decode(ProjectFile.self, from: text)) == text) }
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var old: String
        var new: String
        var line: Int
        var says: [String]
        var testDescription: String { "\(new) on line \(line)" }
    }

    static let faults = [
        Fault(old: "owner: ops", new: "ownr: ops", line: 2, says: ["Unknown key 'ownr'", "Did you mean 'owner'?"]),
        Fault(old: "needs: [train]", new: "need: [train]", line: 12, says: ["Unknown key 'pipeline.evaluate.need'", "Did you mean 'needs'?"]),
        Fault(old: "needs: [train]", new: "needs: train", line: 12, says: ["'pipeline.evaluate.needs' is not a list", "needs: [train]"]),
        Fault(old: "needs: [train]", new: "needs: [trian]", line: 12, says: ["needs 'trian', which is no step", "prepare, train"]),
        Fault(old: "inputs: [flights]", new: "needs: [evaluate]", line: 12, says: ["circle", "'evaluate' needs 'train' needs 'prepare' needs 'evaluate'"]),
        Fault(old: "inputs: [flights]", new: "inputs: [fligths]", line: 13, says: ["reads 'fligths', which is no dataset", "Datasets: flights"]),
        Fault(old: "retries: 1", new: "retries: many", line: 14, says: ["'pipeline.train.retries' is not a whole number"]),
        Fault(old: "memory: 2GiB", new: "memory: lots", line: 14, says: ["'lots' is not a size", "2GiB"]),
        Fault(old: "version: \"3.11\"", new: "version: \"2; rm -rf /\"", line: 3, says: ["is not a Python version"]),
        Fault(old: "requirements.txt }", new: "../secret }", line: 3, says: ["Invalid path '../secret'"]),
        Fault(old: "stage: { from: prod", new: "stage: { from: dev", line: 9, says: ["Data moves down only"]),
        Fault(old: "expire: { dev: 14d }", new: "expire: { dev: soon }", line: 8, says: ["'soon' is not a duration", "24h"]),
        Fault(old: "register: \"metrics.auc >= 0.65\"", new: "register: \"auc > 0.65\"", line: 16, says: ["neither metrics.NAME nor champion.NAME"]),
        Fault(old: "steps: [5, 25, 100]", new: "steps: [25, 5]", line: 18, says: ["does not grow"]),
        Fault(old: "\"0 4 * * 1\"", new: "\"0 25 * * 1\"", line: 15, says: ["'25' is no hour of a schedule"]),
        Fault(old: "stage: main }  ", new: "stage: 'a$(id)' }  ", line: 4, says: ["is not a branch name"]),
        Fault(old: "evaluate: { run: python evaluate.py,", new: "evaluate: {", line: 12, says: ["'pipeline.evaluate' lacks 'run'", "run: python evaluate.py"]),
        Fault(old: "train:    {", new: "prepare:    {", line: 13, says: ["appears twice"]),
        Fault(old: "owner: ops", new: "owner ops", line: 3, says: []),
    ]

    @Test("a mistake is refused with its line and the fix", arguments: faults)
    func fault(_ fault: Fault) throws {
        let text = Self.flights.replacing(fault.old, with: fault.new, maxReplacements: 1)
        try #require(text != Self.flights)
        let error = #expect(throws: SlipwayError.self) { try ProjectFileReader.read(text) }
        let said = error?.description ?? ""
        #expect(said.contains("slipway.yaml, line \(fault.line): "), "\(said)")
        for words in fault.says { #expect(said.contains(words), "\(said)") }
    }

    @Test("every problem of a file is named in one reading")
    func several() throws {
        let text = Self.flights.replacing("owner: ops", with: "ownr: ops").replacing("retries: 1", with: "retries: x")
        let error = #expect(throws: SlipwayError.self) { try ProjectFileReader.read(text) }
        #expect(error?.reasons.count == 3)
    }
}
