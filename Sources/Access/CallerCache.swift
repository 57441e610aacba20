import Crypto
import SlipwayCore
import Synchronization

/// Who stands behind a credential, remembered so that it is verified once and not by every request.
///
/// The key is a MAC of the credential under a random key of this process: whoever reads the memory of the table learns no secret, and
/// nobody can choose credentials that fall on one key. Whatever changes people, tokens or roles forgets everything at once, also what is being
/// looked up just then (`epoch`), so that a revoked token stops with the answer to its revocation.
final class CallerCache: Sendable {
    struct Key: Hashable, Sendable {
        private let words: (UInt64, UInt64, UInt64, UInt64)

        fileprivate init(_ code: HMAC<SHA256>.MAC) {
            words = code.withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
                )
            }
        }

        static func == (left: Self, right: Self) -> Bool { left.words == right.words }
        // Bits of a MAC are as good as a hash.
        func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
    }

    /// What a look-up hands back when it is done, so that an answer from before a change is not kept.
    struct Epoch: Equatable, Sendable { fileprivate var number: UInt64 }

    private struct Entry { var caller: Caller; var until: Timestamp }
    private struct State {
        var entries: [Key: Entry] = [:]
        var epoch: UInt64 = 0
    }

    private let secret = SymmetricKey(size: .bits256)
    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int = 10_000) { self.capacity = capacity }

    var count: Int { state.withLock { $0.entries.count } }

    func key(token: String) -> Key { key("token\u{0}" + token) }
    /// A user name holds no NUL (it would be refused), so no two pairs share a text.
    func key(user: String, password: String) -> Key { key("basic\u{0}\(user)\u{0}\(password)") }

    private func key(_ text: String) -> Key {
        var text = text
        return text.withUTF8 { Key(HMAC<SHA256>.authenticationCode(for: UnsafeRawBufferPointer($0), using: secret)) }
    }

    func caller(_ key: Key, at now: Timestamp) -> Caller? {
        state.withLock { state in
            guard let entry = state.entries[key], entry.until > now else { return nil }
            return entry.caller
        }
    }

    var epoch: Epoch { state.withLock { Epoch(number: $0.epoch) } }

    /// Keeps `caller` unless something changed since `epoch`.
    func remember(_ caller: Caller, for key: Key, since epoch: Epoch, until: Timestamp, now: Timestamp) {
        state.withLock { state in
            guard state.epoch == epoch.number else { return }
            if state.entries.count >= capacity {
                state.entries = state.entries.filter { $0.value.until > now }
                // Still full: everybody signs in again rather than that somebody is remembered for ever.
                if state.entries.count >= capacity { state.entries.removeAll(keepingCapacity: true) }
            }
            state.entries[key] = Entry(caller: caller, until: until)
        }
    }

    /// Gives a person's remembered callers what they may do now, without asking for their passwords again.
    func replace(_ user: UserName, with levels: AccessLevels, _ change: (inout Caller, AccessLevels) -> Void) {
        state.withLock { state in
            state.epoch += 1
            for key in state.entries.keys where state.entries[key]?.caller.principal.userName == user {
                if state.entries[key]?.caller.levels != nil { change(&state.entries[key]!.caller, levels) }
            }
        }
    }

    func forgetAll() {
        state.withLock { state in
            state.entries.removeAll()
            state.epoch += 1
        }
    }
}

/// Lets few passwords be checked at once: each costs 32 MiB and 60 ms on purpose, and a crowd of guesses must not cost the rest of the server.
/// An actor, because it lives as long as the process and talks while others work.
actor PasswordTurns {
    private var free: Int
    private let waitingMax: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int, waitingMax: Int) {
        free = count
        self.waitingMax = waitingMax
    }

    /// - Throws: `tooMuch` when too many wait already, and what `body` throws.
    func inTurn<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        try await take()
        defer { give() }
        return try await body()
    }

    private func take() async throws {
        if free > 0 { free -= 1; return }
        guard waiting.count < waitingMax else { throw SlipwayError(.tooMuch, "Too many passwords are being checked.", remedy: "Try again, or use a token: slipway token create") }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func give() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
