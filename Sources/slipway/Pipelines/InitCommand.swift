import ArgumentParser
import Foundation
import SlipwayCore
import SlipwayRuntime

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a project from the template: pipeline, locked packages, model card.",
        discussion: "Example: slipway init churn && cd churn && slipway project validate")
    @Argument(help: "The project's name, and the folder that is made for it (the current folder and its name when left out).") var name: String?

    func run() async throws {
        let here = URL(filePath: FileManager.default.currentDirectoryPath)
        let project = try ProjectName(parsing: name ?? here.lastPathComponent)
        let target = name == nil ? here : here.appending(path: project.rawValue)
        let template = try ResourceFolder.find().file("template")
        let files = try Self.files(of: template)
        for file in files where FileManager.default.fileExists(atPath: target.appending(path: file).path) {
            throw SlipwayError(.alreadyExists, "'\(target.appending(path: file).path)' is there already.", remedy: "Choose another name or folder; nothing was changed.")
        }
        for file in files { try Self.copy(template.appending(path: file), to: target.appending(path: file), project) }
        if !FileManager.default.fileExists(atPath: target.appending(path: ".git").path) {
            let made = try await CommandRun(Programs.find("git"), ["init", "--quiet", "--initial-branch=main", target.path]).run()
            if made.status != 0 { Output.note("git init did not succeed: \(made.error)") }
        }
        for file in files { Output.line(file) }
        Output.note(
            """
            Project '\(project)' is in \(target.path). Next:
              slipway project validate \(name ?? "")
              slipway run --local --input examples=FOLDER
              git remote add slipway http://127.0.0.1:5080/git/\(project).git && git push slipway main
            """)
    }

    private static func files(of template: URL) throws -> [String] {
        guard let walk = FileManager.default.enumerator(at: template, includingPropertiesForKeys: [.isRegularFileKey]) else {
            throw SlipwayError(.unavailable, "The template is missing at '\(template.path)'.", remedy: "Set SLIPWAY_RESOURCES to the folder share/slipway.")
        }
        let base = template.resolvingSymlinksInPath().path
        return try walk.compactMap { item -> String? in
            guard let file = item as? URL, try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { return nil }
            return String(file.resolvingSymlinksInPath().path.dropFirst(base.count + 1))
        }.sorted()
    }

    private static func copy(_ source: URL, to target: URL, _ project: ProjectName) throws {
        try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        let data = try Data(contentsOf: source)
        guard let text = String(data: data, encoding: .utf8) else { return try data.write(to: target) }
        try Data(text.replacing("{{project}}", with: project.rawValue).utf8).write(to: target)
    }
}
