import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayTestSupport
import Testing

@Suite("Blobs")
struct BlobTests {
    private func folder() throws -> (blobs: BlobFolder, temporary: TemporaryFolder) {
        let temporary = try TemporaryFolder()
        return (try BlobFolder(root: temporary.url.appending(path: "blobs")), temporary)
    }

    @Test("the same bytes are kept once, read-only, under their SHA-256")
    func deduplicated() throws {
        let (blobs, temporary) = try folder()
        let first = try blobs.put(Data("hello".utf8))
        let second = try blobs.put(Data("hello".utf8))
        #expect(first == second)
        #expect(first.rawValue == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        let file = try #require(blobs.file(of: first))
        #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o444)
        #expect(try blobs.sweepIncoming() == 0)
        withExtendedLifetime(temporary) {}
    }

    @Test("bytes that were damaged on disk are found, and do not travel to another realm")
    func damage() throws {
        let (blobs, temporary) = try folder()
        let (other, otherTemporary) = try folder()
        let digest = try blobs.put(Data("precious".utf8))
        let file = try #require(blobs.file(of: digest))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
        try Data("tampered".utf8).write(to: file)
        #expect(try !blobs.verify(digest))
        let error = #expect(throws: SlipwayError.self) { try other.copy(digest, from: blobs) }
        #expect(error?.code == .internalFault)
        #expect(other.file(of: digest) == nil)
        withExtendedLifetime((temporary, otherTemporary)) {}
    }

    @Test("a writer that never finished leaves nothing after the next start")
    func halfWritten() throws {
        let (blobs, temporary) = try folder()
        let writer = try blobs.makeWriter()
        try writer.write(Data("half".utf8))
        #expect(try blobs.sweepIncoming() == 1)
        #expect(blobs.file(of: ContentDigest(of: "half")) == nil)
        withExtendedLifetime(temporary) {}
    }

    @Test("a folder and its manifest come back byte for byte, and equal folders have equal digests")
    func trees() throws {
        let (blobs, temporary) = try folder()
        let source = temporary.url.appending(path: "source")
        try FileManager.default.createDirectory(at: source.appending(path: "deep/er"), withIntermediateDirectories: true)
        try Data("a".utf8).write(to: source.appending(path: "a.txt"))
        try Data("b".utf8).write(to: source.appending(path: "deep/er/ü.bin"))
        let manifest = try blobs.put(folder: source)
        #expect(manifest.files.map(\.path) == ["a.txt", "deep/er/ü.bin"])
        let target = temporary.url.appending(path: "target")
        try blobs.materialise(manifest, at: target)
        #expect(try Data(contentsOf: target.appending(path: "deep/er/ü.bin")) == Data("b".utf8))
        #expect(try blobs.put(folder: target).digest() == manifest.digest())
        #expect(try blobs.manifest(manifest.digest()) == manifest)
    }

    @Test("a link in a folder is refused, since it may point anywhere")
    func links() throws {
        let (blobs, temporary) = try folder()
        let source = temporary.url.appending(path: "source")
        try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: source.appending(path: "secret").path, withDestinationPath: "/etc/passwd")
        #expect(throws: SlipwayError.self) { try blobs.put(folder: source) }
    }

    @Test(
        "a manifest refuses paths that leave their folder",
        arguments: [
            "../up", "/root", "a//b", "a/./b", "a/../../b", "", "a\\b", "nul\0", String(repeating: "x", count: 256), String(repeating: "x/", count: 600) + "y",
        ])
    func hostilePaths(path: String) {
        #expect(throws: SlipwayError.self) { try FileManifest(files: [.init(path: path, digest: ContentDigest(of: ""), size: 0)]) }
    }
}
