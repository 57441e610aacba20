import SlipwayCore

/// A requirements file in which every package has one exact version, so that the same digest is the same environment.
package struct LockedRequirements: Sendable, Hashable {
    package let text: String
    package let digest: ContentDigest

    /// - Throws: `invalidArgument` naming the line that is not pinned, and how to lock it.
    package init(checking text: String, name: String = "requirements.txt") throws {
        self.text = text
        digest = ContentDigest(of: text)
        var isContinuation = false
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = raw.prefix { $0 != "#" }.filter { $0 != "\r" }.trimmed
            defer { isContinuation = line.hasSuffix("\\") }
            if line.isEmpty || isContinuation || Self.options.contains(where: { line.hasPrefix($0) }) { continue }
            let requirement = line.prefix { $0 != ";" && $0 != "\\" }.trimmed
            guard requirement.contains("==") && !requirement.contains("*") || requirement.contains(" @ ") else {
                throw SlipwayError.invalid(
                    "\(name), line \(index + 1): '\(requirement.prefix(80))' has no exact version.",
                    remedy: "Lock it: uv pip compile requirements.in -o \(name)")
            }
        }
    }

    private static let options = ["--hash", "--index-url", "--extra-index-url", "--find-links", "--no-binary", "--only-binary", "--no-index", "-i ", "-f "]
}

extension StringProtocol {
    fileprivate var trimmed: String {
        var slice = self[...]
        while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
        while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
        return String(slice)
    }
}
