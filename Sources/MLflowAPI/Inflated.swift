import CZlib
import SlipwayCore

/// Bodies that came packed.
enum Inflated {
    struct Malformed: Error {}

    /// - Parameters:
    ///   - encoding: `gzip` or `deflate` (with zlib's frame, or bare as some clients send it).
    ///   - limit: bytes after unpacking, so that a small body cannot fill the memory.
    /// - Throws: `Malformed`; `invalidArgument` past the limit or for another encoding.
    static func bytes(_ body: [UInt8], encoding: String, limit: Int) throws -> [UInt8] {
        switch encoding.lowercased() {
        case "identity": return body
        case "gzip", "x-gzip": return try unpacked(body, windowBits: MAX_WBITS + 16, limit: limit)
        case "deflate":
            do { return try unpacked(body, windowBits: MAX_WBITS, limit: limit) } catch is Malformed {
                return try unpacked(body, windowBits: -MAX_WBITS, limit: limit)
            }
        default: throw SlipwayError.invalid("Unsupported Content-Encoding: \(encoding.prefix(80))", remedy: "Use gzip, deflate or none.")
        }
    }

    private static func unpacked(_ body: [UInt8], windowBits: Int32, limit: Int) throws -> [UInt8] {
        var stream = z_stream()
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { throw SlipwayError.fault("zlib does not start.") }
        defer { inflateEnd(&stream) }
        var input = body
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        var output: [UInt8] = []
        try input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            while true {
                let (status, count) = piece.withUnsafeMutableBufferPointer { piece in
                    stream.next_out = piece.baseAddress
                    stream.avail_out = UInt32(piece.count)
                    let status = inflate(&stream, Z_NO_FLUSH)
                    return (status, piece.count - Int(stream.avail_out))
                }
                guard status == Z_OK || status == Z_STREAM_END else { throw Malformed() }
                guard output.count + count <= limit else {
                    throw SlipwayError.invalid("The request must be at most \(limit) bytes when unpacked.", remedy: "Split it.")
                }
                output += piece[..<count]
                guard status == Z_STREAM_END else { continue }
                if stream.avail_in == 0 { return }
                // Several packed texts one after the other are one.
                guard inflateReset(&stream) == Z_OK else { throw Malformed() }
            }
        }
        return output
    }
}
