/// A person's word for one plan.
package struct Approval: Sendable, Hashable, Codable {
    package var user: UserName
    package var plan: ContentDigest
    package var comment: String
    package var at: Timestamp
    package init(user: UserName, plan: ContentDigest, comment: String, at: Timestamp) {
        self.user = user
        self.plan = plan
        self.comment = comment
        self.at = at
    }
}

/// What is known of a person who approves: their e-mails as Git may spell them, and their roles here.
package struct Approver: Sendable, Hashable {
    package var user: UserName
    package var emails: Set<String>
    package var grants: [RoleGrant]
    package init(user: UserName, emails: Set<String>, grants: [RoleGrant]) {
        self.user = user
        self.emails = Set(emails.map { $0.lowercased() })
        self.grants = grants
    }
}

/// Who counts as an approver of a promotion (invariant 4), and whether enough do.
package struct ApproverRules: Sendable {
    package var rules: [ApprovalRule]
    package var roleAge: Duration
    package var requestedBy: String
    package var authors: ChangeAuthors
    package var now: Timestamp

    package init(rules: [ApprovalRule], roleAge: Duration, requestedBy: String, authors: ChangeAuthors, now: Timestamp) {
        self.rules = rules
        self.roleAge = roleAge
        self.requestedBy = requestedBy
        self.authors = ChangeAuthors(emails: Set(authors.emails.map { $0.lowercased() }), pushers: authors.pushers)
        self.now = now
    }

    /// Why this person's word would not count, or nil when it does.
    package func refusal(of approver: Approver) -> SlipwayError? {
        let raw = Principal.user(approver.user).raw
        if let refusal = authorRefusal(of: approver) { return refusal }
        if requestedBy == raw {
            return SlipwayError(.notAllowed, "'\(approver.user)' requested this promotion and cannot approve it.", remedy: "Ask somebody else: \(wanted).")
        }
        let fitting = approver.grants.filter { grant in rules.contains { $0.role == grant.role } }
        if fitting.isEmpty {
            return SlipwayError(.notAllowed, "'\(approver.user)' holds none of the roles that this plan asks for.", remedy: "It needs \(wanted).")
        }
        if oldEnough(fitting).isEmpty {
            return SlipwayError(
                .notAllowed, "The role of '\(approver.user)' is younger than the policy's roleAge of \(roleAge.spelled).",
                remedy: "Wait until it is old enough, or ask somebody who holds the role longer.")
        }
        return nil
    }

    /// The part of `refusal` that no role would change.
    package func authorRefusal(of approver: Approver) -> SlipwayError? {
        guard let proof = authorship(of: approver) else { return nil }
        return SlipwayError(
            .notAllowed, "'\(approver.user)' is an author of this change (\(proof)), so their approval cannot count because of authorship.",
            remedy: "Ask somebody who did not write it: \(wanted).")
    }

    /// What is still missing after the best assignment of people to approval slots; empty when everything is approved.
    package func missing(_ approvers: [Approver]) -> [ApprovalRule] {
        let counted = approvers.filter { refusal(of: $0) == nil }
        let seats = rules.flatMap { rule in Array(repeating: rule.role, count: max(0, rule.count)) }
        let filled = Matching.seats(seats, people: counted.map { Set(oldEnough($0.grants).map(\.role)) })
        var open: [Role: Int] = [:]
        for (seat, person) in zip(seats, filled) where person == nil { open[seat, default: 0] += 1 }
        return rules.compactMap { rule in open.removeValue(forKey: rule.role).map { ApprovalRule(role: rule.role, count: $0) } }
    }

    private func oldEnough(_ grants: [RoleGrant]) -> [RoleGrant] { grants.filter { now - $0.grantedAt >= roleAge } }

    private func authorship(of approver: Approver) -> String? {
        if let email = approver.emails.first(where: authors.emails.contains) { return "Git names \(email)" }
        return authors.pushers.contains(Principal.user(approver.user).raw) ? "they pushed it" : nil
    }

    private var wanted: String { rules.map { "\($0.count) \($0.role.rawValue)" }.joined(separator: " and ") }
}

/// Bipartite matching by augmenting paths (Kuhn, "The Hungarian method", 1955, §2), so that one person fills one seat and
/// people who fit several seats are placed where they are needed.
package enum Matching {
    /// - Parameter people: the roles that each person could fill.
    /// - Returns: per seat the index of its person, nil when it stays empty; as many seats as possible are filled.
    package static func seats(_ seats: [Role], people: [Set<Role>]) -> [Int?] {
        var taken: [Int?] = Array(repeating: nil, count: seats.count)
        for person in people.indices {
            var seen: Set<Int> = []
            _ = place(person, seats, people, &taken, &seen)
        }
        return taken
    }

    private static func place(_ person: Int, _ seats: [Role], _ people: [Set<Role>], _ taken: inout [Int?], _ seen: inout Set<Int>) -> Bool {
        for seat in seats.indices where people[person].contains(seats[seat]) && seen.insert(seat).inserted {
            let sitting = taken[seat]
            if sitting == nil || place(sitting!, seats, people, &taken, &seen) {
                taken[seat] = person
                return true
            }
        }
        return false
    }
}
