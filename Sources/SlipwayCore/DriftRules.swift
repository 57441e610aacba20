import Foundation

/// How a report is judged and when it starts a retraining: pure rules over counts.
package enum DriftRules {
    /// One feature's window against its baseline.
    package static func compare(_ profile: FeatureProfile, counts: [Int64], missing: Int64, watch: Double, act: Double) throws -> FeatureDrift {
        let present = counts.reduce(0, +)
        let psi = present > 0 && profile.present > 0 ? try PopulationStability.index(baseline: profile.counts, window: counts) : nil
        let psiMissing =
            present + missing > 0 && profile.present + profile.missing > 0
            ? try PopulationStability.ofMissing(baseline: (profile.missing, profile.present), window: (missing, present)) : nil
        let chance = PopulationStability.expectedByChance(bins: profile.bins.count, baselineRows: profile.present, windowRows: present)
        let chanceMissing = PopulationStability.expectedByChance(
            bins: 2, baselineRows: profile.present + profile.missing, windowRows: present + missing)
        let bands = [
            band(psi, expectedByChance: chance, watch: watch, act: act), band(psiMissing, expectedByChance: chanceMissing, watch: watch, act: act),
        ]
        return FeatureDrift(
            name: profile.name, psi: psi, psiMissing: psiMissing, expectedByChance: chance.isFinite ? chance : 0, band: bands.max()!,
            missingShare: share(missing, of: present + missing), missingShareBaseline: share(profile.missing, of: profile.present + profile.missing),
            bins: profile.bins, counts: counts, baselineCounts: profile.counts)
    }

    /// An index that two samples of one population would easily show is in no band, however few the rows.
    package static func band(_ psi: Double?, expectedByChance: Double, watch: Double, act: Double) -> DriftVerdict {
        guard let psi else { return .unknown }
        if psi < watch { return .ok }
        guard psi >= 2 * expectedByChance else { return .unknown }
        return psi >= act ? .act : .watch
    }

    package struct Judgement: Sendable, Equatable {
        package var verdict: DriftVerdict
        package var reasons: [String]
    }

    /// - Parameters:
    ///   - conditions: on quality, judged once the coverage of labels is reached.
    ///   - coverage: the share of labels from which quality is judged.
    package static func judge(
        features: [FeatureDrift], prediction: FeatureDrift?, quality: WindowQuality?, conditions: [Condition], coverage: Double
    ) -> Judgement {
        var verdict = (features + [prediction].compactMap(\.self)).map(\.band).max() ?? .unknown
        var reasons: [(weight: DriftVerdict, text: String)] = []
        for feature in features.sorted(by: { $0.score > $1.score }) where feature.band >= .watch {
            reasons.append((feature.band, sentence(feature, noun: "Feature '\(feature.name)'")))
        }
        if let prediction, prediction.band >= .watch { reasons.append((prediction.band, sentence(prediction, noun: "The prediction"))) }
        if let quality, !conditions.isEmpty {
            if quality.coverage < coverage || quality.labelled == 0 {
                reasons.append((.unknown, "Quality is not judged yet: \(percent(quality.coverage)) of the answers have a label, \(percent(coverage)) are wanted."))
            } else {
                for condition in conditions {
                    let (weight, text) = judge(condition, quality)
                    verdict = max(verdict, weight)
                    if let text { reasons.append((weight, text)) }
                }
            }
        }
        // A stable order: the weightiest first, as they were found within a weight.
        let ordered = DriftVerdict.allCases.reversed().flatMap { weight in reasons.filter { $0.weight == weight }.map(\.text) }
        return Judgement(verdict: verdict, reasons: ordered)
    }

    private static func judge(_ condition: Condition, _ quality: WindowQuality) -> (DriftVerdict, String?) {
        switch condition.verdict(quality.metrics) {
        case .holds: return (.ok, nil)
        case .unknown(let metrics):
            let names = metrics.map { "'\($0)'" }.joined(separator: ", ")
            return (.unknown, "Quality \(names) could not be computed: the labels of the window hold one class only, or are no 0 and 1.")
        case .fails(let sentence):
            let training = condition.metrics.sorted().compactMap { metric in quality.baseline[metric].map { "\(metric) = \(number($0))" } }
            return (.act, "Quality: \(sentence)" + (training.isEmpty ? "" : " In training \(training.joined(separator: ", "))."))
        }
    }

    private static func sentence(_ feature: FeatureDrift, noun: String) -> String {
        if let missing = feature.psiMissing, missing > feature.psi ?? 0 {
            return "\(noun) is missing in \(percent(feature.missingShare)) of the rows, \(percent(feature.missingShareBaseline)) in training (index \(number(missing)))."
        }
        return "\(noun) moved: PSI \(number(feature.psi ?? 0))."
    }

    // MARK: Retraining

    /// After a retraining, windows that end within this of the window that asked for it start no other (event time).
    package static let coolDown = Duration.seconds(7 * 86_400)

    /// Why a report starts no retraining, or nil when it does.
    /// - Parameter last: the slot's newest retraining that did not fail.
    package static func holdsBack(windowEnd: Timestamp, last: DriftRetraining?) -> String? {
        guard let last else { return nil }
        if last.state.isOpen { return "Retraining \(last.id) is still under way (\(last.state.rawValue))." }
        let next = last.windowEnd + coolDown
        guard windowEnd < next else { return nil }
        return "Retraining \(last.id) was started for the window up to \(last.windowEnd.iso8601); the next starts for a window that ends from \(next.iso8601) on."
    }

    // MARK: Windows

    /// The last whole period before `now` in UTC: `hour`, `day`, `week` (from Monday), `month`, `quarter`, or a duration such as `6h`.
    /// - Throws: `invalidArgument` for anything else.
    package static func lastWindow(before now: Timestamp, every: String) throws -> (from: Timestamp, to: Timestamp) {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(identifier: "UTC")!
        let unit: (component: Calendar.Component, months: Int)
        switch every {
        case "hour": unit = (.hour, 0)
        case "day": unit = (.day, 0)
        case "week": unit = (.weekOfYear, 0)
        case "month": unit = (.month, 1)
        case "quarter": unit = (.month, 3)
        default:
            let period = try Duration(parsing: every).milliseconds
            guard period > 0 else { throw SlipwayError.invalid("'\(every)' is no period.", remedy: "Write hour, day, week, month, quarter or 6h.") }
            let to = now.milliseconds - ((now.milliseconds % period) + period) % period
            return (Timestamp(milliseconds: to - period), Timestamp(milliseconds: to))
        }
        var end = calendar.dateInterval(of: unit.component, for: now.date)!.start
        if unit.months == 3 {
            let month = calendar.component(.month, from: end)
            end = calendar.date(byAdding: .month, value: -((month - 1) % 3), to: end)!
        }
        let start = unit.months > 0 ? calendar.date(byAdding: .month, value: -unit.months, to: end)! : calendar.date(byAdding: unit.component, value: -1, to: end)!
        return (Timestamp(start), Timestamp(end))
    }

    private static func share(_ part: Int64, of whole: Int64) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }
    private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

    /// Three digits after the point, for sentences.
    package static func number(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        let scaled = Int64((abs(value) * 1000).rounded())
        let digits = String(scaled % 1000)
        return "\(value < 0 && scaled > 0 ? "-" : "")\(scaled / 1000).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
    }
}
