import Foundation
import SlipwayCore

/// All processes that descend from this one, those included whose parents are gone.
enum ProcessTree {
    /// Makes this process the parent of every descendant that loses its own, however it tried to get away.
    static func adoptOrphans() throws {
        // `prctl` is variadic in C and so not imported; its arguments are plain words in registers here.
        typealias Function = @convention(c) (CInt, CUnsignedLong, CUnsignedLong, CUnsignedLong, CUnsignedLong) -> CInt
        guard let symbol = dlsym(nil, "prctl") else { throw SlipwayError(.unavailable, "This system has no prctl.") }
        let setChildSubreaper: CInt = 36
        guard unsafeBitCast(symbol, to: Function.self)(setChildSubreaper, 1, 0, 0, 0) == 0 else {
            throw SlipwayError(.unavailable, "The kernel refused to make this process a subreaper: \(String(cString: strerror(errno))).")
        }
    }

    /// Ended children and their wait status.
    static func reap() -> [(pid: pid_t, status: Int32)] {
        var ended: [(pid_t, Int32)] = []
        while true {
            var status: Int32 = 0
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { return ended }
            ended.append((pid, status))
        }
    }

    /// Read from `/proc`; zombies that somebody else has to reap are left out.
    static func descendants(of root: pid_t = getpid()) -> [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            guard let pid = pid_t(name), let stat = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8) else { continue }  // it may just have ended
            // The command's name may hold spaces and parentheses: what follows the last one is regular.
            let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            guard fields.count > 2, fields[1] != "Z", let parent = pid_t(fields[2]) else { continue }
            children[parent, default: []].append(pid)
        }
        var found: [pid_t] = []
        var next = children[root] ?? []
        while let pid = next.popLast() {
            found.append(pid)
            next += children[pid] ?? []
        }
        return found
    }

    static func signal(_ number: Int32, _ processes: [pid_t]) {
        for process in processes { kill(process, number) }
    }
}
