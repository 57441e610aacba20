/// A regular expression that is found in time proportional to the text, whatever it says: a set of states walks over the characters once, so that
/// no filter can keep the database busy. Hence no back references and no looking around.
///
/// Characters, `.`, classes (`[a-z]`, `[^…]`, `\d \w \s` and their opposites), `^ $ \b \B`, groups, `|`, `* + ? {m,n}` (lazy ones too), and `(?i)` in front.
package struct RegularPattern: Sendable {
    private indirect enum Node {
        case empty
        case one(Characters)
        case assert(Assertion)
        case sequence([Node])
        case choice([Node])
        case repeated(Node, from: Int, to: Int?)
    }

    private enum Assertion: Sendable { case start, end, boundary, noBoundary }

    private struct Characters: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isNegated = false

        func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } != isNegated }
    }

    private enum Step: Sendable {
        case one(Characters)
        case assert(Assertion)
        case split(Int, Int)
        case jump(Int)
        case found
    }

    private let steps: [Step]
    private let ignoresCase: Bool

    package static let lengthMax = 1000
    private static let stepsMax = 4000
    private static let depthMax = 50
    /// Longer texts are looked at so far.
    private static let textMax = 1 << 16

    /// - Throws: `invalidArgument` for what is no regular expression, or one that is too large.
    package init(_ text: String) throws {
        guard text.count <= Self.lengthMax else { throw SlipwayError.invalid("A regular expression has \(Self.lengthMax) characters at most.") }
        var reader = Reader(text)
        ignoresCase = reader.takesNoCase()
        let node = try reader.choice(depth: 0)
        guard reader.isAtEnd else { throw reader.wrong("a ) too many") }
        var steps: [Step] = []
        try Self.emit(node, into: &steps)
        steps.append(.found)
        self.steps = steps
    }

    private static func emit(_ node: Node, into steps: inout [Step]) throws {
        guard steps.count < stepsMax else { throw SlipwayError.invalid("The regular expression is too large.", remedy: "Repeat less.") }
        switch node {
        case .empty: break
        case .one(let characters): steps.append(.one(characters))
        case .assert(let assertion): steps.append(.assert(assertion))
        case .sequence(let nodes): for node in nodes { try emit(node, into: &steps) }
        case .choice(let nodes):
            var jumps: [Int] = []
            for (index, node) in nodes.enumerated() {
                guard index < nodes.count - 1 else { try emit(node, into: &steps); break }
                let split = steps.count
                steps.append(.split(split + 1, 0))
                try emit(node, into: &steps)
                jumps.append(steps.count)
                steps.append(.jump(0))
                steps[split] = .split(split + 1, steps.count)
            }
            for jump in jumps { steps[jump] = .jump(steps.count) }
        case .repeated(let node, let least, let most):
            for _ in 0..<least { try emit(node, into: &steps) }
            if let most {
                var splits: [Int] = []
                for _ in least..<max(least, most) {
                    splits.append(steps.count)
                    steps.append(.split(steps.count + 1, 0))
                    try emit(node, into: &steps)
                }
                for split in splits { steps[split] = .split(split + 1, steps.count) }
            } else {
                let split = steps.count
                steps.append(.split(split + 1, 0))
                try emit(node, into: &steps)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
            }
        }
    }

    /// Whether it is found anywhere in the text.
    package func isFound(in text: String) -> Bool {
        let scalars = text.unicodeScalars.prefix(Self.textMax).map(\.value)
        var current: [Int] = []
        var marks = [Int](repeating: -1, count: steps.count)
        for index in 0...scalars.count {
            // A match may begin anywhere.
            if add(0, at: index, scalars, to: &current, &marks) { return true }
            guard index < scalars.count else { return false }
            let next = current
            current.removeAll(keepingCapacity: true)
            for step in next {
                if case .one(let characters) = steps[step], matches(characters, scalars[index]), add(step + 1, at: index + 1, scalars, to: &current, &marks) { return true }
            }
        }
        return false
    }

    private func matches(_ characters: Characters, _ scalar: UInt32) -> Bool {
        if characters.contains(scalar) { return true }
        guard ignoresCase, let value = Unicode.Scalar(scalar) else { return false }
        return [value.properties.lowercaseMapping, value.properties.uppercaseMapping].contains { other in
            other.unicodeScalars.count == 1 && characters.contains(other.unicodeScalars.first!.value)
        }
    }

    /// Adds the step and all that follow from it without a character.
    /// - Returns: true when the end of the pattern is among them.
    private func add(_ first: Int, at index: Int, _ scalars: [UInt32], to current: inout [Int], _ marks: inout [Int]) -> Bool {
        var waiting = [first]
        while let step = waiting.popLast() {
            guard marks[step] != index else { continue }
            marks[step] = index
            switch steps[step] {
            case .found: return true
            case .one: current.append(step)
            case .jump(let next): waiting.append(next)
            case .split(let one, let other): waiting += [other, one]
            case .assert(let assertion): if holds(assertion, at: index, scalars) { waiting.append(step + 1) }
            }
        }
        return false
    }

    private func holds(_ assertion: Assertion, at index: Int, _ scalars: [UInt32]) -> Bool {
        switch assertion {
        case .start: return index == 0
        case .end: return index == scalars.count || (index == scalars.count - 1 && scalars[index] == 10)
        case .boundary, .noBoundary:
            let before = index > 0 && Self.word.contains(scalars[index - 1])
            let after = index < scalars.count && Self.word.contains(scalars[index])
            return (before != after) == (assertion == .boundary)
        }
    }

    private static let word = Characters(ranges: [
        48...57, 65...90, 95...95, 97...122, 0xAA...0xAA, 0xB5...0xB5, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x2C1, 0x370...0x1FFF, 0x2C00...0xD7FF,
    ])
    private static let space = Characters(ranges: [9...13, 32...32, 0x85...0x85, 0xA0...0xA0])
    private static let digit = Characters(ranges: [48...57])
    private static let anything = Characters(ranges: [10...10], isNegated: true)

    /// Reads the expression from left to right.
    private struct Reader {
        private let text: String
        private let scalars: [Unicode.Scalar]
        private var index = 0

        init(_ text: String) {
            self.text = text
            scalars = Array(text.unicodeScalars)
        }

        var isAtEnd: Bool { index == scalars.count }

        func wrong(_ why: String) -> SlipwayError { .invalid("'\(text.prefix(80))' is not a regular expression that can be searched with: \(why).") }

        mutating func takesNoCase() -> Bool {
            guard scalars.starts(with: "(?i)".unicodeScalars) else { return false }
            index = 4
            return true
        }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard index < scalars.count, scalars[index] == scalar else { return false }
            index += 1
            return true
        }

        mutating func choice(depth: Int) throws -> Node {
            guard depth <= RegularPattern.depthMax else { throw wrong("too many groups") }
            var nodes = [try sequence(depth: depth)]
            while take("|") { nodes.append(try sequence(depth: depth)) }
            return nodes.count == 1 ? nodes[0] : .choice(nodes)
        }

        private mutating func sequence(depth: Int) throws -> Node {
            var nodes: [Node] = []
            while index < scalars.count, scalars[index] != "|", scalars[index] != ")" {
                nodes.append(try repeated(try atom(depth: depth)))
            }
            return nodes.isEmpty ? .empty : .sequence(nodes)
        }

        private mutating func atom(depth: Int) throws -> Node {
            let scalar = scalars[index]
            index += 1
            switch scalar {
            case "(":
                if take("?") { guard take(":") else { throw wrong("(? is not supported, but for (?: and (?i) in front") } }
                let inner = try choice(depth: depth + 1)
                guard take(")") else { throw wrong("a ) is missing") }
                return inner
            case "[": return .one(try characterClass())
            case ".": return .one(RegularPattern.anything)
            case "^": return .assert(.start)
            case "$": return .assert(.end)
            case "\\": return try escape()
            case "*", "+", "?": throw wrong("nothing to repeat before \(scalar)")
            default: return .one(Characters(ranges: [scalar.value...scalar.value]))
            }
        }

        private mutating func repeated(_ node: Node) throws -> Node {
            var node = node
            while index < scalars.count {
                let bounds: (Int, Int?)
                if take("*") {
                    bounds = (0, nil)
                } else if take("+") {
                    bounds = (1, nil)
                } else if take("?") {
                    bounds = (0, 1)
                } else if let found = try counts() {
                    bounds = found
                } else {
                    return node
                }
                _ = take("?")  // lazy: what is found is the same
                node = .repeated(node, from: bounds.0, to: bounds.1)
            }
            return node
        }

        /// `{m}`, `{m,}` or `{m,n}`; anything else in braces is meant as written.
        private mutating func counts() throws -> (Int, Int?)? {
            let start = index
            guard take("{") else { return nil }
            let least = number()
            var most = least
            if take(",") { most = number() }
            guard take("}"), let least else { index = start; return nil }
            guard least <= 500, (most ?? 0) <= 500, most.map({ $0 >= least }) ?? true else { throw wrong("a repetition is at most 500, and not backwards") }
            return (least, most)
        }

        private mutating func number() -> Int? {
            let start = index
            while index < scalars.count, scalars[index].isASCII, ("0"..."9").contains(scalars[index]), index - start < 5 { index += 1 }
            return Int(String(String.UnicodeScalarView(scalars[start..<index])))
        }

        private mutating func escape() throws -> Node {
            guard index < scalars.count else { throw wrong("it ends with a backslash") }
            switch scalars[index] {
            case "b": index += 1; return .assert(.boundary)
            case "B": index += 1; return .assert(.noBoundary)
            case "A": index += 1; return .assert(.start)
            case "Z": index += 1; return .assert(.end)
            default: return .one(try escapedCharacters())
            }
        }

        private mutating func escapedCharacters() throws -> Characters {
            guard index < scalars.count else { throw wrong("it ends with a backslash") }
            let scalar = scalars[index]
            index += 1
            switch scalar {
            case "d": return RegularPattern.digit
            case "D": return Characters(ranges: RegularPattern.digit.ranges, isNegated: true)
            case "w": return RegularPattern.word
            case "W": return Characters(ranges: RegularPattern.word.ranges, isNegated: true)
            case "s": return RegularPattern.space
            case "S": return Characters(ranges: RegularPattern.space.ranges, isNegated: true)
            case "n": return Characters(ranges: [10...10])
            case "r": return Characters(ranges: [13...13])
            case "t": return Characters(ranges: [9...9])
            default:
                guard !(scalar.isASCII && scalar.properties.isAlphabetic) && !("0"..."9").contains(scalar) else { throw wrong("\\\(scalar) is not supported") }
                return Characters(ranges: [scalar.value...scalar.value])
            }
        }

        private mutating func characterClass() throws -> Characters {
            let isNegated = take("^")
            var ranges: [ClosedRange<UInt32>] = []
            var isFirst = true
            while index < scalars.count {
                if !isFirst, take("]") { return Characters(ranges: ranges, isNegated: isNegated) }
                isFirst = false
                let low = try member()
                guard low.count == 1, low[0].count == 1, index + 1 < scalars.count, scalars[index] == "-", scalars[index + 1] != "]" else { ranges += low; continue }
                index += 1
                let high = try member()
                guard high.count == 1, high[0].count == 1, low[0].lowerBound <= high[0].lowerBound else { throw wrong("a range in [ ] runs backwards") }
                ranges.append(low[0].lowerBound...high[0].lowerBound)
            }
            throw wrong("a ] is missing")
        }

        private mutating func member() throws -> [ClosedRange<UInt32>] {
            guard take("\\") else {
                index += 1
                return [scalars[index - 1].value...scalars[index - 1].value]
            }
            let characters = try escapedCharacters()
            guard characters.isNegated else { return characters.ranges }
            var rest: [ClosedRange<UInt32>] = []
            var from: UInt32 = 0
            for range in characters.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                if range.lowerBound > from { rest.append(from...(range.lowerBound - 1)) }
                from = range.upperBound + 1
            }
            return rest + [from...0x10FFFF]
        }
    }
}
