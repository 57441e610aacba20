import SlipwayCore
import Yams

/// Reads `slipway.yaml`. Unknown keys, wrong types, cycles and missing needs are refused, each with its line and the fix.
package enum ProjectFileReader {
    package static let name = "slipway.yaml"
    static let bytesMax = 256 << 10

    /// - Throws: `invalidArgument` with all problems.
    package static func read(_ text: String) throws -> ProjectFile {
        guard text.utf8.count <= bytesMax else { throw SlipwayError.invalid("\(name) is larger than \(bytesMax) bytes.") }
        let problems = YAMLProblems(name: name)
        guard let root = try compose(text), let top = YAMLMap(root, path: "", problems: problems) else {
            throw SlipwayError.invalid("\(name) is empty or no mapping.", remedy: "Start from a template: slipway init")
        }
        let file = file(top)
        try problems.throwIfAny()
        guard let file else { throw SlipwayError.fault("\(name) was refused without a reason.") }
        return file
    }

    private static func compose(_ text: String) throws -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
                throw SlipwayError.invalid("\(name), line \(mark.line): \(problem).", remedy: "YAML needs the same indentation for the same level, and a space after each colon.")
            case .duplicatedKeysInMapping(let duplicates, let context):
                throw SlipwayError.invalid(
                    "\(name), line \(context.mark.line): the key \(duplicates.map { "'\($0)'" }.joined(separator: ", ")) appears twice.", remedy: "Keep one of them.")
            default:
                throw SlipwayError.invalid("\(name) is not YAML: \(error).", remedy: "Start from a template: slipway init")
            }
        }
    }

    private static func file(_ top: YAMLMap) -> ProjectFile? {
        top.allow("project", "owner", "python", "branches", "data", "pipeline", "triggers", "model", "gates", "serving", "monitoring")
        let project = top.convert(top.require("project", example: "project: flight-delays"), ProjectName.init(parsing:))
        let owner = top.requiredText("owner", example: "owner: team@example.org")
        let python = python(top)
        var main = "main"
        if let branches = top.map("branches") {
            branches.allow("stage")
            if let node = branches.value("stage"), let name = branches.convert(node, BranchName.check) { main = name }
        }
        let data = ProjectFileReader.data(top)
        let pipeline = PipelineReader.steps(top, datasets: Set(data.keys))
        let triggers = triggers(top)
        let model = model(top)
        let gates = gates(top)
        let serving = serving(top)
        let monitoring = monitoring(top)
        if serving != nil, model == nil, top.value("model") == nil {
            top.problems.add(top.value("serving"), "'serving' needs a model.", fix: "Add: model: { name: …, kind: model, register: \"metrics.auc >= 0.65\" }")
        }
        guard let project, let owner, let python else { return nil }
        return ProjectFile(
            project: project, owner: owner, python: python, mainBranch: main, data: data, pipeline: pipeline, triggers: triggers, model: model,
            gates: gates, serving: serving, monitoring: monitoring)
    }

    private static func python(_ top: YAMLMap) -> ProjectFile.Python? {
        let example = "python: { version: \"3.11\", requirements: requirements.txt }"
        guard let node = top.require("python", example: example), let map = YAMLMap(node, path: "python", problems: top.problems) else { return nil }
        map.allow("version", "requirements")
        let version = map.convert(map.require("version", example: "version: \"3.11\"")) { text in
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard (2...3).contains(parts.count), parts[0] == "3", parts.allSatisfy({ !$0.isEmpty && $0.count <= 3 && $0.allSatisfy(\.isASCIIDigit) }) else {
                throw SlipwayError.invalid("'\(text.prefix(40))' is not a Python version.", remedy: "Write for instance: version: \"3.11\"")
            }
            return text
        }
        let requirements = map.convert(map.require("requirements", example: "requirements: requirements.txt"), path)
        guard let version, let requirements else { return nil }
        return ProjectFile.Python(version: version, requirements: requirements)
    }

    /// A path below the repository's root.
    static func path(_ text: String) throws -> String {
        try RelativePath.check(text)
        return text
    }

    // MARK: Data

    private static func data(_ top: YAMLMap) -> [String: ProjectFile.Dataset] {
        guard let map = top.map("data") else { return [:] }
        var datasets: [String: ProjectFile.Dataset] = [:]
        for (name, keyNode, value) in map.entries {
            guard PipelineReader.check(name, keyNode, "dataset", map.problems), let entry = YAMLMap(value, path: "data.\(name)", problems: map.problems) else { continue }
            entry.allow("checks", "expire", "refresh", "freshness")
            datasets[name] = ProjectFile.Dataset(
                checks: entry.value("checks").flatMap { entry.convert($0, path) }, expire: durations(entry, "expire"),
                refresh: refreshes(entry), freshness: durations(entry, "freshness"))
        }
        return datasets
    }

    private static func durations(_ map: YAMLMap, _ key: String) -> [EnvironmentID: DurationText] {
        guard let inner = map.map(key) else { return [:] }
        inner.allow("dev", "stage", "prod")
        return byEnvironment(inner) { inner.convert($0, DurationText.init(parsing:)) }
    }

    private static func byEnvironment<T>(_ map: YAMLMap, _ read: (Node) -> T?) -> [EnvironmentID: T] {
        map.entries.reduce(into: [:]) { all, entry in
            if let environment = EnvironmentID(rawValue: entry.key) { all[environment] = read(entry.value) }
        }
    }

    private static func refreshes(_ map: YAMLMap) -> [EnvironmentID: ProjectFile.Refresh] {
        guard let inner = map.map("refresh") else { return [:] }
        inner.allow("dev", "stage")
        var refreshes: [EnvironmentID: ProjectFile.Refresh] = [:]
        for (name, keyNode, value) in inner.entries {
            guard let target = EnvironmentID(rawValue: name), let entry = YAMLMap(value, path: inner.at(name), problems: map.problems) else { continue }
            entry.allow("from", "every", "sample", "mask")
            guard let from = entry.convert(entry.require("from", example: "from: prod"), EnvironmentID.init(parsing:)) else { continue }
            guard from > target else {
                map.problems.add(keyNode, "Data moves down only: '\(inner.at(name))' cannot come from \(from.rawValue).", fix: "Take it from an environment above \(name).")
                continue
            }
            let every = cadence(entry) ?? "month"
            let sample = entry.number("sample", in: 0...1) ?? 1
            if sample == 0 { map.problems.add(entry.value("sample"), "A sample of 0 has no rows.", fix: "Write a share such as 0.05.") }
            refreshes[target] = ProjectFile.Refresh(from: from, every: every, sample: sample, mask: masking(entry))
        }
        return refreshes
    }

    private static func cadence(_ map: YAMLMap) -> String? {
        map.value("every").flatMap { node in
            map.convert(node) { text in
                guard ["day", "week", "month", "quarter"].contains(text) else {
                    throw SlipwayError.invalid("'\(text.prefix(40))' is not a cadence.", remedy: "Write day, week, month or quarter.")
                }
                return text
            }
        }
    }

    private static func masking(_ map: YAMLMap) -> [String: ProjectFile.Masking] {
        guard let inner = map.map("mask") else { return [:] }
        return inner.entries.reduce(into: [:]) { all, entry in
            all[entry.key] = inner.convert(entry.value) { text in
                guard let masking = ProjectFile.Masking(rawValue: text) else {
                    throw SlipwayError.invalid(
                        "'\(text.prefix(40))' is not a masking.", remedy: "Write \(ProjectFile.Masking.allCases.map(\.rawValue).joined(separator: " or ")).")
                }
                return masking
            }
        }
    }

    // MARK: Triggers, model, gates

    private static func triggers(_ top: YAMLMap) -> ProjectFile.Triggers {
        guard let map = top.map("triggers") else { return ProjectFile.Triggers() }
        map.allow("push", "schedule", "drift")
        var triggers = ProjectFile.Triggers()
        if let push = map.map("push") {
            push.allow("dev", "stage")
            triggers.push = byEnvironment(push) { node in push.convert(node) { $0 == "*" ? $0 : try BranchName.check($0) } }
        }
        if let schedule = map.map("schedule") {
            schedule.allow("dev", "stage", "prod")
            triggers.schedule = byEnvironment(schedule) { node in schedule.convert(node) { try CronSchedule(parsing: $0).text } }
        }
        triggers.drift = map.value("drift").flatMap { map.convert($0, EnvironmentID.init(parsing:)) }
        return triggers
    }

    private static func model(_ top: YAMLMap) -> ProjectFile.Model? {
        guard let map = top.map("model") else { return nil }
        map.allow("name", "kind", "register", "card")
        let name = map.convert(map.require("name", example: "name: flight-delay")) { text in
            guard (1...128).contains(text.utf8.count), text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }) else {
                throw SlipwayError.invalid("'\(text.prefix(80))' is not a model name.", remedy: "Use 1 to 128 letters, digits, dots, dashes and underscores.")
            }
            return text
        }
        let kind = map.value("kind").flatMap { node in
            map.convert(node) { text in
                guard let kind = Release.Kind(rawValue: text) else {
                    throw SlipwayError.invalid("'\(text.prefix(40))' is not a kind.", remedy: "Write 'model' (the same bytes travel) or 'code' (retrained in the target).")
                }
                return kind
            }
        }
        let register = map.value("register").flatMap { node in map.convert(node) { try Condition(parsing: $0).text } }
        let card = map.value("card").flatMap { map.convert($0, path) }
        return name.map { ProjectFile.Model(name: $0, kind: kind ?? .model, register: register, card: card) }
    }

    private static func gates(_ top: YAMLMap) -> ProjectFile.Gates {
        guard let map = top.map("gates") else { return ProjectFile.Gates() }
        map.allow("stage", "prod", "slices")
        var gates = ProjectFile.Gates()
        for environment in [EnvironmentID.stage, .prod] where map.value(environment.rawValue) != nil {
            gates.conditions[environment] = map.texts(environment.rawValue).compactMap { item in map.convert(item.node) { try Condition(parsing: $0).text } }
        }
        if let slices = map.map("slices"), let by = slices.requiredText("by", example: "by: origin") {
            let bounds = slices.entries.filter { $0.key != "by" }
            gates.slices = ProjectFile.Slices(by: by, conditions: conditions(slices, bounds))
        }
        return gates
    }

    private static func conditions(_ map: YAMLMap, _ entries: [(key: String, keyNode: Node, value: Node)]) -> [String: String] {
        entries.reduce(into: [:]) { all, entry in
            all[entry.key] = map.convert(entry.value) { text in
                _ = try Condition(bound: text, on: entry.key)
                return text
            }
        }
    }

    // MARK: Serving and monitoring

    private static func serving(_ top: YAMLMap) -> ProjectFile.Serving? {
        guard let map = top.map("serving") else { return nil }
        map.allow("endpoint", "workers", "rollout")
        let endpoint = map.convert(map.require("endpoint", example: "endpoint: flight-delay")) { try SlotName(parsing: $0).rawValue }
        let workers = map.integer("workers", in: 1...64) ?? 1
        var serving = ProjectFile.Serving(endpoint: endpoint ?? "", workers: workers)
        if let rollout = map.map("rollout") {
            rollout.allow("steps", "bake")
            if rollout.value("steps") != nil {
                let steps = rollout.texts("steps").map { Int($0.text) ?? 0 }
                if steps.isEmpty || steps.last != 100 || steps != Set(steps).sorted() || steps[0] < 1 {
                    map.problems.add(rollout.value("steps"), "'serving.rollout.steps' does not grow from above 0 to 100.", fix: "Write for instance: steps: [5, 25, 100]")
                }
                serving.rolloutSteps = steps
            }
            if let bake = rollout.value("bake").flatMap({ rollout.convert($0, DurationText.init(parsing:)) }) { serving.bake = bake }
        }
        return endpoint == nil ? nil : serving
    }

    private static func monitoring(_ top: YAMLMap) -> ProjectFile.Monitoring? {
        guard let map = top.map("monitoring") else { return nil }
        map.allow("capture", "drift", "labels", "quality")
        var monitoring = ProjectFile.Monitoring(capture: map.number("capture", in: 0...1) ?? 1)
        if let drift = map.map("drift") {
            drift.allow("method", "watch", "act", "every")
            let method = drift.value("method").flatMap { node in
                drift.convert(node) { text in
                    guard text == "psi" else { throw SlipwayError.invalid("'\(text.prefix(40))' is not a drift method.", remedy: "Write psi.") }
                    return text
                }
            }
            let defaults = ProjectFile.Monitoring.Drift()
            monitoring.drift = ProjectFile.Monitoring.Drift(
                method: method ?? defaults.method, watch: drift.number("watch", in: 0...100) ?? defaults.watch,
                act: drift.number("act", in: 0...100) ?? defaults.act, every: cadence(drift) ?? defaults.every)
        }
        if let labels = map.map("labels") {
            labels.allow("key", "time", "delay", "coverage")
            if let key = labels.requiredText("key", example: "key: flight_id") {
                let delay = labels.value("delay").flatMap { labels.convert($0, DurationText.init(parsing:)) }
                monitoring.labels = ProjectFile.Monitoring.Labels(
                    key: key, time: labels.text("time"), delay: delay ?? "0s", coverage: labels.number("coverage", in: 0...1) ?? 0)
            }
        }
        if let quality = map.map("quality") { monitoring.quality = conditions(quality, quality.entries) }
        return monitoring
    }
}

extension Character {
    var isASCIIDigit: Bool { isASCII && isNumber }
}
