import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("A plain folder of artifacts")
struct PlainFolderTests {
    private func write(_ text: String, _ path: String, in folder: PlainFolder) throws {
        let writer = try folder.makeWriter()
        try writer.write(Data(text.utf8))
        try folder.finish(writer, at: path)
    }

    @Test("what is written lies there under its own name, can be listed and removed")
    func files() throws {
        let temporary = try TemporaryFolder()
        let folder = PlainFolder(root: temporary.url.appending(path: "artifacts"))
        #expect(try folder.list(nil).isEmpty)
        try write("0", "a.txt", in: folder)
        try write("12", "dir/b.txt", in: folder)
        try write("3", "dir/b.txt", in: folder)
        #expect(try String(contentsOf: folder.root.appending(path: "dir/b.txt"), encoding: .utf8) == "3")
        #expect(try folder.list(nil) == [ArtifactEntry(name: "a.txt", size: 1), ArtifactEntry(name: "dir", size: nil)])
        #expect(try folder.list("dir/b.txt").isEmpty)
        #expect(try folder.tree(nil).map(\.path).sorted() == ["a.txt", "dir/b.txt"])
        #expect(throws: SlipwayError.self) { try write("4", "dir", in: folder) }
        #expect(throws: SlipwayError.self) { try write("4", "a.txt/b", in: folder) }
        try folder.remove("dir")
        try folder.remove("dir")
        #expect(try folder.list(nil).map(\.name) == ["a.txt"])
    }

    @Test("no path and no link leads out of it", arguments: ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "link/x", ".slipway-incoming/x", "a\0b", "a\\..\\b"])
    func escapes(_ path: String) throws {
        let temporary = try TemporaryFolder()
        let folder = PlainFolder(root: temporary.url.appending(path: "artifacts"))
        try write("0", "a.txt", in: folder)
        let outside = temporary.url.appending(path: "outside")
        try FileManager.default.createDirectory(at: outside, withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: outside.appending(path: "x"))
        try FileManager.default.createSymbolicLink(at: folder.root.appending(path: "link"), withDestinationURL: outside)
        #expect(throws: SlipwayError.self) { try folder.entry(path) }
        #expect(throws: SlipwayError.self) { try write("1", path, in: folder) }
        #expect(throws: SlipwayError.self) { try folder.remove(path) }
        #expect(try folder.list(nil).map(\.name) == ["a.txt"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["x"])
    }

    @Test("addresses of the same place are read alike")
    func addresses() throws {
        for address in ["mlflow-artifacts:/1/r", "mlflow-artifacts://host:5000/1/r", "http://host:5000/api/2.0/mlflow-artifacts/artifacts/1/r/"] {
            #expect(ArtifactRoot.proxiedPath(of: address) == "1/r")
        }
        for address in ["s3://bucket/1/r", "/mlflow-artifacts/artifacts/1", "http://host/mlflow-artifacts/artifactsX/1", "file:///tmp/x"] {
            #expect(ArtifactRoot.proxiedPath(of: address) == nil)
        }
        let places = try ArtifactPlaces(root: "file:///tmp/roots/", destination: "/tmp/artifacts")
        #expect(places.root == "file:///tmp/roots")
        #expect(places.plain(at: "file:///tmp/roots/1/r/artifacts", path: "a")?.path == "1/r/artifacts/a")
        #expect(places.plain(at: "/tmp/roots/1", path: nil)?.path == "1")
        #expect(places.plain(at: "/tmp/rootsX/1", path: nil) == nil)
        #expect(places.plain(at: "/tmp/roots/../secret", path: nil) == nil)
        #expect(places.plain(at: "mlflow-artifacts:/1", path: "b")?.folder.root.path == "/tmp/artifacts")
        #expect(places.plain(at: "mlflow-artifacts:/registry/1/1", path: nil) == nil)
        #expect(throws: SlipwayError.self) { try ArtifactPlaces(destination: "s3://bucket") }
    }
}
