import Foundation
import SlipwayCore
import Synchronization

/// Latencies in fixed buckets whose bounds grow by a quarter each, from 0.1 ms to two minutes: constant size, any number of
/// requests, and a quantile within one bucket's width.
struct LatencyHistogram: Sendable {
    static let bounds: [Double] = (0..<64).map { 0.1 * pow(1.25, Double($0)) }
    private(set) var counts = [UInt32](repeating: 0, count: bounds.count + 1)
    private(set) var total: Int64 = 0

    mutating func record(milliseconds: Double) {
        counts[Self.bucket(milliseconds)] &+= 1
        total += 1
    }

    /// - Parameter share: 0…1.
    /// - Returns: milliseconds, interpolated inside the bucket; 0 when nothing was recorded.
    func quantile(_ share: Double) -> Double {
        guard total > 0 else { return 0 }
        let rank = share * Double(total)
        var below = 0.0
        for (index, count) in counts.enumerated() where count > 0 {
            if below + Double(count) >= rank {
                let low = index == 0 ? 0 : Self.bounds[index - 1]
                let high = index < Self.bounds.count ? Self.bounds[index] : Self.bounds[index - 1]
                return low + (high - low) * ((rank - below) / Double(count))
            }
            below += Double(count)
        }
        return Self.bounds[Self.bounds.count - 1]
    }

    private static func bucket(_ milliseconds: Double) -> Int {
        guard milliseconds > bounds[0] else { return 0 }
        let guess = Int(log(milliseconds / 0.1) / log(1.25))
        // The logarithm may land a hair beside a bound.
        var index = min(max(guess, 0), bounds.count)
        while index > 0, milliseconds <= bounds[index - 1] { index -= 1 }
        while index < bounds.count, milliseconds > bounds[index] { index += 1 }
        return index
    }
}

/// What one deployment has answered since it was first wanted, and the last three hours by the minute.
final class DeploymentMeter: Sendable {
    struct Totals: Sendable {
        var requests: Int64 = 0
        var errors: Int64 = 0
        var rows: Int64 = 0
        var notANumber: Int64 = 0
        var latency = LatencyHistogram()
    }

    private struct State {
        var totals = Totals()
        var minutes: [Minute] = []
    }

    private struct Minute {
        var minute: Int64
        var totals: Totals
    }

    static let minutesMax = 180
    private let state = Mutex(State())

    /// One answered request; `failed` for those that are the deployment's fault (status 500 and up).
    func record(at: Timestamp, milliseconds: Double, rows: Int, notANumber: Int, failed: Bool) {
        let minute = at.milliseconds / 60_000
        state.withLock { state in
            Self.add(&state.totals, milliseconds, rows, notANumber, failed)
            if state.minutes.last?.minute != minute {
                if state.minutes.count >= Self.minutesMax { state.minutes.removeFirst() }
                state.minutes.append(Minute(minute: minute, totals: Totals()))
            }
            Self.add(&state.minutes[state.minutes.count - 1].totals, milliseconds, rows, notANumber, failed)
        }
    }

    private static func add(_ totals: inout Totals, _ milliseconds: Double, _ rows: Int, _ notANumber: Int, _ failed: Bool) {
        totals.requests += 1
        totals.rows += Int64(rows)
        totals.notANumber += Int64(notANumber)
        if failed { totals.errors += 1 }
        totals.latency.record(milliseconds: milliseconds)
    }

    var totals: Totals { state.withLock { $0.totals } }

    /// Minutes with at least one request, oldest first.
    var traffic: [TrafficMinute] {
        state.withLock { state in
            state.minutes.map {
                TrafficMinute(
                    at: Timestamp(milliseconds: $0.minute * 60_000), requests: $0.totals.requests, errors: $0.totals.errors, rows: $0.totals.rows,
                    latencyP50: $0.totals.latency.quantile(0.5), latencyP95: $0.totals.latency.quantile(0.95))
            }
        }
    }
}

/// What an endpoint's deployment answered in one minute.
package struct TrafficMinute: Sendable, Hashable, Codable {
    package var at: Timestamp
    package var requests: Int64
    package var errors: Int64
    package var rows: Int64
    /// Milliseconds.
    package var latencyP50: Double
    package var latencyP95: Double
}
