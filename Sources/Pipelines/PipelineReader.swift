import SlipwayCore
import Yams

/// The `pipeline:` part: steps in an order that respects their needs.
enum PipelineReader {
    static let stepsMax = 100

    static func steps(_ top: YAMLMap, datasets: Set<String>) -> [ProjectFile.Step] {
        guard let node = top.require("pipeline", example: "pipeline: { train: { run: python train.py } }"),
            let map = YAMLMap(node, path: "pipeline", problems: top.problems)
        else { return [] }
        if map.isEmpty { top.problems.add(node, "'pipeline' has no step.", fix: "Add: train: { run: python train.py }") }
        var steps: [ProjectFile.Step] = []
        var nodes: [String: Node] = [:]
        for (name, keyNode, value) in map.entries.prefix(stepsMax) {
            guard check(name, keyNode, "step", map.problems), let entry = YAMLMap(value, path: "pipeline.\(name)", problems: map.problems) else { continue }
            nodes[name] = keyNode
            steps.append(step(name, entry))
        }
        if map.entries.count > stepsMax { map.problems.add(node, "'pipeline' has more than \(stepsMax) steps.", fix: "Join some of them.") }
        checkNames(steps, nodes, map, datasets)
        return order(steps, nodes, map.problems)
    }

    private static func step(_ name: String, _ entry: YAMLMap) -> ProjectFile.Step {
        entry.allow("run", "needs", "inputs", "outputs", "resources", "retries", "timeout")
        let run = entry.requiredText("run", example: "run: python \(name).py") ?? ""
        if entry.value("run") != nil, run.allSatisfy(\.isWhitespace) || run.utf8.count > 16 << 10 || run.contains("\0") {
            entry.problems.add(entry.value("run"), "'\(entry.path).run' is empty or too long.", fix: "Write: run: python \(name).py")
        }
        var resources = ProjectFile.Resources()
        if let map = entry.map("resources") {
            map.allow("cpu", "memory", "gpu")
            resources.cpu = map.number("cpu", in: 0...1024) ?? 1
            resources.gpu = map.integer("gpu", in: 0...64) ?? 0
            resources.memory = map.value("memory").flatMap { node in
                map.convert(node) { text in
                    _ = try ByteCount.parse(text)
                    return text
                }
            }
        }
        return ProjectFile.Step(
            name: name, run: run, needs: entry.texts("needs").map(\.text), inputs: entry.texts("inputs").map(\.text), outputs: outputs(entry),
            resources: resources, retries: entry.integer("retries", in: 0...10) ?? 0,
            timeout: entry.value("timeout").flatMap { entry.convert($0, DurationText.init(parsing:)) })
    }

    private static func outputs(_ entry: YAMLMap) -> [String] {
        entry.texts("outputs").compactMap { check($0.text, $0.node, "output", entry.problems) ? $0.text : nil }
    }

    /// Names become variables and folders: a letter, then letters, digits, dashes and underscores.
    static func check(_ name: String, _ node: Node, _ noun: String, _ problems: YAMLProblems) -> Bool {
        guard (1...63).contains(name.utf8.count), name.first?.isLetter == true,
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        else {
            problems.add(node, "'\(name.prefix(80))' is not a name for a \(noun).", fix: "Use 1 to 63 letters, digits, dashes and underscores, starting with a letter.")
            return false
        }
        return true
    }

    private static func checkNames(_ steps: [ProjectFile.Step], _ nodes: [String: Node], _ map: YAMLMap, _ datasets: Set<String>) {
        let names = steps.map(\.name)
        var makers: [String: String] = [:]
        for step in steps {
            for need in step.needs where !names.contains(need) {
                let item = item(need, of: step.name, "needs", map) ?? nodes[step.name]
                map.problems.add(item, "Step '\(step.name)' needs '\(need)', which is no step.", fix: "Steps: \(names.joined(separator: ", ")).")
            }
            for input in step.inputs where !datasets.contains(input) {
                let hint =
                    datasets.isEmpty ? "Add: data: { \(input): {} }" : "Datasets: \(datasets.sorted().joined(separator: ", ")). The output of a step arrives through 'needs'."
                let item = item(input, of: step.name, "inputs", map) ?? nodes[step.name]
                map.problems.add(item, "Step '\(step.name)' reads '\(input)', which is no dataset.", fix: hint)
            }
            for output in step.outputs {
                let variable = StepVariables.name("", output)
                if let other = makers[variable] ?? datasets.first(where: { StepVariables.name("", $0) == variable }).map({ "data.\($0)" }) {
                    map.problems.add(
                        item(output, of: step.name, "outputs", map) ?? nodes[step.name],
                        "The output '\(output)' of step '\(step.name)' has the name of another input (\(other)).", fix: "Give it another name.")
                }
                makers[variable] = "pipeline.\(step.name)"
            }
        }
    }

    private static func item(_ text: String, of step: String, _ key: String, _ map: YAMLMap) -> Node? {
        map.map(step)?.value(key)?.sequence?.first { $0.scalar?.string == text }
    }

    /// Kahn's algorithm, in the order of the file where needs leave a choice; what is left over waits in a circle.
    private static func order(_ steps: [ProjectFile.Step], _ nodes: [String: Node], _ problems: YAMLProblems) -> [ProjectFile.Step] {
        let names = Set(steps.map(\.name))
        var ordered: [ProjectFile.Step] = []
        var done: Set<String> = []
        var rest = steps
        while let index = rest.firstIndex(where: { done.isSuperset(of: names.intersection($0.needs)) }) {
            let step = rest.remove(at: index)
            done.insert(step.name)
            ordered.append(step)
        }
        if let start = rest.first {
            var circle = [start.name]
            var current = start
            while let next = current.needs.first(where: { need in rest.contains { $0.name == need } }), let step = rest.first(where: { $0.name == next }) {
                if let first = circle.firstIndex(of: next) {
                    circle = Array(circle[first...]) + [next]
                    break
                }
                circle.append(next)
                current = step
            }
            let path = circle.map { "'\($0)'" }.joined(separator: " needs ")
            problems.add(nodes[circle[0]], "The steps wait for each other in a circle: \(path).", fix: "Take one of these out of 'needs'.")
        }
        return ordered
    }
}

/// Sizes as people write them: `512MiB`, `2GiB`.
enum ByteCount {
    static func parse(_ text: String) throws -> Int64 {
        for (suffix, shift): (String, Int64) in [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)] where text.hasSuffix(suffix) {
            if let count = Int64(text.dropLast(3)), (1...1_048_576).contains(count) { return count << shift }
        }
        throw SlipwayError.invalid("'\(text.prefix(40))' is not a size.", remedy: "Write for instance 512MiB or 2GiB.")
    }
}

/// Names of branches that may travel through commands, hooks and pages.
package enum BranchName {
    /// - Throws: `invalidArgument` unless it is 1 to 200 letters, digits, dots, dashes, underscores and slashes as Git allows them.
    package static func check(_ text: String) throws -> String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...200).contains(text.utf8.count), text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-/+".contains($0)) }),
            parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasPrefix("-") && !$0.hasSuffix(".lock") && !$0.hasSuffix(".") }), !text.contains("..")
        else {
            throw SlipwayError.invalid(
                "'\(text.prefix(80))' is not a branch name that Slipway takes.",
                remedy: "Use 1 to 200 letters, digits, dots, dashes, underscores, plus signs and slashes.")
        }
        return text
    }
}

/// Names of the variables that a step gets.
package enum StepVariables {
    /// `SLIPWAY_INPUT_` and `my-data` make `SLIPWAY_INPUT_MY_DATA`.
    package static func name(_ prefix: String, _ name: String) -> String {
        prefix + String(name.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }
}
