import NIOCore
import SlipwayCore

/// Cuts the text of a request and of its answer into rows without reading the numbers: what is captured is, byte for byte,
/// what was sent. Runs behind the requests, over bodies that the worker has already accepted as JSON.
struct CaptureRows {
    struct Malformed: Error {}

    /// Appends one NDJSON line per row to `output`.
    /// - Parameter head: writes the line's beginning for the row's index, up to and including the comma before `"row"`.
    /// - Returns: how many rows were written.
    /// - Throws: `Malformed` when the texts are not what `form` says.
    static func append(
        request: ByteBuffer, answer: ByteBuffer, form: WorkerAnswer.Form, to output: inout [UInt8], head: (Int, inout [UInt8]) -> Void
    ) throws -> Int {
        try request.withUnsafeReadableBytes { request in
            try answer.withUnsafeReadableBytes { answer in
                let predictions = try predictions(in: answer)
                switch form {
                case .split: return try split(request, answer, predictions, &output, head)
                case .records: return try records(request, answer, predictions, &output, head)
                case .other: return 0
                }
            }
        }
    }

    private static func predictions(in answer: UnsafeRawBufferPointer) throws -> [Range<Int>] {
        var text = JSONSlicer(answer)
        guard let range = try text.member("predictions") else { throw Malformed() }
        guard answer[range.lowerBound] == UInt8(ascii: "[") else { return [range] }
        return try JSONSlicer(answer, range).elements()
    }

    private static func records(
        _ request: UnsafeRawBufferPointer, _ answer: UnsafeRawBufferPointer, _ predictions: [Range<Int>], _ output: inout [UInt8],
        _ head: (Int, inout [UInt8]) -> Void
    ) throws -> Int {
        var text = JSONSlicer(request)
        guard let range = try text.member("dataframe_records") else { throw Malformed() }
        let rows = try JSONSlicer(request, range).elements()
        for (index, row) in rows.enumerated() where index < predictions.count {
            head(index, &output)
            output.append(contentsOf: #""row":"#.utf8)
            JSONSlicer(request).copy(row, to: &output)
            tail(answer, predictions[index], &output)
        }
        return min(rows.count, predictions.count)
    }

    private static func split(
        _ request: UnsafeRawBufferPointer, _ answer: UnsafeRawBufferPointer, _ predictions: [Range<Int>], _ output: inout [UInt8],
        _ head: (Int, inout [UInt8]) -> Void
    ) throws -> Int {
        var text = JSONSlicer(request)
        guard let range = try text.member("dataframe_split") else { throw Malformed() }
        var frame = JSONSlicer(request, range)
        guard let columns = try frame.member("columns") else { throw Malformed() }
        frame = JSONSlicer(request, range)
        guard let data = try frame.member("data") else { throw Malformed() }
        let slicer = JSONSlicer(request)
        let names = try JSONSlicer(request, columns).elements().map { column in
            var name: [UInt8] = []
            if request[column.lowerBound] == UInt8(ascii: "\"") {
                slicer.copy(column, to: &name)
            } else {
                name = [UInt8(ascii: "\"")] + request[column] + [UInt8(ascii: "\"")]
            }
            return name + [UInt8(ascii: ":")]
        }
        var rows = JSONSlicer(request, data)
        var count = 0
        try rows.enterArray()
        while count < predictions.count, let row = try rows.nextElement() {
            head(count, &output)
            output.append(contentsOf: #""row":{"#.utf8)
            var cells = JSONSlicer(request, row)
            try cells.enterArray()
            var column = 0
            while let cell = try cells.nextElement() {
                guard column < names.count else { throw Malformed() }
                if column > 0 { output.append(UInt8(ascii: ",")) }
                output.append(contentsOf: names[column])
                slicer.copy(cell, to: &output)
                column += 1
            }
            output.append(UInt8(ascii: "}"))
            tail(answer, predictions[count], &output)
            count += 1
        }
        return count
    }

    private static func tail(_ answer: UnsafeRawBufferPointer, _ prediction: Range<Int>, _ output: inout [UInt8]) {
        output.append(contentsOf: #","prediction":"#.utf8)
        JSONSlicer(answer).copy(prediction, to: &output)
        output.append(contentsOf: "}\n".utf8)
    }
}

/// Walks JSON text and says where its values lie. It trusts that the text is JSON, but never reads outside it.
struct JSONSlicer {
    private let bytes: UnsafeRawBufferPointer
    private var at: Int
    private let end: Int
    private var isFirst = true

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>? = nil) {
        self.bytes = bytes
        at = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// The value of a member of the object that starts here. Names with escapes are not found.
    mutating func member(_ name: StaticString) throws -> Range<Int>? {
        try expect(UInt8(ascii: "{"))
        var first = true
        while true {
            skipSpace()
            guard at < end else { throw CaptureRows.Malformed() }
            if bytes[at] == UInt8(ascii: "}") { return nil }
            if !first { try expect(UInt8(ascii: ",")); skipSpace() }
            first = false
            let key = try value()
            try expect(UInt8(ascii: ":"))
            let found = try value()
            if key.count == name.utf8CodeUnitCount + 2,
                UnsafeRawBufferPointer(rebasing: bytes[(key.lowerBound + 1)..<(key.upperBound - 1)])
                    .elementsEqual(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            {
                return found
            }
        }
    }

    /// The elements of the array that starts here.
    func elements() throws -> [Range<Int>] {
        var copy = self
        var found: [Range<Int>] = []
        try copy.enterArray()
        while let element = try copy.nextElement() { found.append(element) }
        return found
    }

    mutating func enterArray() throws {
        try expect(UInt8(ascii: "["))
        isFirst = true
    }

    mutating func nextElement() throws -> Range<Int>? {
        skipSpace()
        guard at < end else { throw CaptureRows.Malformed() }
        if bytes[at] == UInt8(ascii: "]") { return nil }
        if !isFirst { try expect(UInt8(ascii: ",")) }
        isFirst = false
        return try value()
    }

    /// Appends a value on one line, with Python's `NaN` and `Infinity`, which JSON lacks, as null.
    func copy(_ range: Range<Int>, to output: inout [UInt8]) {
        let first = bytes[range.lowerBound]
        if first == UInt8(ascii: "\"") || (first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")) {
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
            return
        }
        var index = range.lowerBound
        var inText = false
        while index < range.upperBound {
            let byte = bytes[index]
            index += 1
            if inText {
                output.append(byte)
                if byte == UInt8(ascii: "\\"), index < range.upperBound {
                    output.append(bytes[index])
                    index += 1
                } else if byte == UInt8(ascii: "\"") {
                    inText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                inText = true
                output.append(byte)
            case 0x20, 0x0a, 0x0d, 0x09: break
            case UInt8(ascii: "N"), UInt8(ascii: "I"):
                if output.last == UInt8(ascii: "-") { output.removeLast() }
                output.append(contentsOf: "null".utf8)
                while index < range.upperBound, (bytes[index] | 0x20) >= UInt8(ascii: "a"), (bytes[index] | 0x20) <= UInt8(ascii: "z") { index += 1 }
            default: output.append(byte)
            }
        }
    }

    private mutating func skipSpace() {
        while at < end, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws {
        skipSpace()
        guard at < end, bytes[at] == byte else { throw CaptureRows.Malformed() }
        at += 1
    }

    /// Steps over one value.
    private mutating func value() throws -> Range<Int> {
        skipSpace()
        let start = at
        var depth = 0
        while at < end {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""): try skipText()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return try scalar(start) }
                depth -= 1
                at += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"), 0x20, 0x0a, 0x0d, 0x09:
                if depth == 0 { return try scalar(start) }
                at += 1
                continue
            default:
                at += 1
                continue
            }
            if depth == 0 { return start..<at }
        }
        return try scalar(start)
    }

    private func scalar(_ start: Int) throws -> Range<Int> {
        guard at > start else { throw CaptureRows.Malformed() }
        return start..<at
    }

    private mutating func skipText() throws {
        at += 1
        while at < end {
            switch bytes[at] {
            case UInt8(ascii: "\\"): at += 2
            case UInt8(ascii: "\""):
                at += 1
                return
            default: at += 1
            }
        }
        throw CaptureRows.Malformed()
    }
}
