import SlipwayCore
import SlipwayTestSupport
import Testing

@Suite("Approvers")
struct ApproverRulesTests {
    private let now = Timestamp(milliseconds: 1_700_000_000_000)

    private func rules(_ seats: [(Role, Int)], roleAge: Duration = .zero, requestedBy: String = "user:eve", emails: Set<String> = [], pushers: Set<String> = []) -> ApproverRules {
        ApproverRules(
            rules: seats.map { ApprovalRule(role: $0.0, count: $0.1) }, roleAge: roleAge, requestedBy: requestedBy,
            authors: ChangeAuthors(emails: emails, pushers: pushers), now: now)
    }

    private func person(_ name: String, _ roles: Role..., age: Duration = .seconds(90_000)) -> Approver {
        Approver(
            user: UserName(unchecked: name), emails: ["\(name)@example.org"],
            grants: roles.map { RoleGrant(project: ProjectName(unchecked: "p"), environment: .prod, role: $0, grantedAt: now - age) })
    }

    @Test("one person fills one seat, and shared roles neither count twice nor deadlock")
    func matching() {
        let rules = rules([(.reviewer, 1), (.operator, 1)])
        #expect(rules.missing([person("rex", .reviewer, .operator)]).map(\.count) == [1])
        // rex must move to the operator's seat, since ida can only review; in either order.
        #expect(rules.missing([person("rex", .reviewer, .operator), person("ida", .reviewer)]).isEmpty)
        #expect(rules.missing([person("ida", .reviewer), person("rex", .reviewer, .operator)]).isEmpty)
        #expect(rules.missing([person("ida", .reviewer), person("kim", .reviewer)]) == [ApprovalRule(role: .operator, count: 1)])
    }

    @Test("the matching fills as many seats as trying every order does")
    func matchingIsBest() {
        var random = SeededGenerator(seed: 7)
        let roles: [Role] = [.reviewer, .operator, .engineer]
        for _ in 0..<300 {
            let seats = (0..<Int.random(in: 1...4, using: &random)).map { _ in roles.randomElement(using: &random)! }
            let people = (0..<Int.random(in: 0...4, using: &random)).map { _ in Set(roles.filter { _ in Bool.random(using: &random) }) }
            let filled = Matching.seats(seats, people: people)
            #expect(Set(filled.compactMap(\.self)).count == filled.compactMap(\.self).count)
            #expect(zip(seats, filled).allSatisfy { seat, person in person.map { people[$0].contains(seat) } ?? true })
            #expect(filled.compactMap(\.self).count == Self.best(seats[...], people, used: []))
        }
    }

    private static func best(_ seats: ArraySlice<Role>, _ people: [Set<Role>], used: Set<Int>) -> Int {
        guard let seat = seats.first else { return 0 }
        let rest = seats.dropFirst()
        let taken = people.indices.filter { !used.contains($0) && people[$0].contains(seat) }.map { 1 + best(rest, people, used: used.union([$0])) }.max() ?? 0
        return max(taken, best(rest, people, used: used))
    }

    @Test("an author is refused because of authorship, by any e-mail in any spelling and as a pusher")
    func authorship() {
        for rules in [rules([(.reviewer, 1)], emails: ["ADA@Example.org"]), rules([(.reviewer, 1)], pushers: ["user:ada"])] {
            let refusal = rules.refusal(of: person("ada", .reviewer))
            #expect(refusal?.code == .notAllowed)
            #expect(refusal?.message.contains("because of authorship") == true)
            #expect(rules.missing([person("ada", .reviewer)]).count == 1)
        }
    }

    @Test("the requester, people without a wanted role and roles that are too young do not count")
    func others() {
        #expect(rules([(.reviewer, 1)], requestedBy: "user:ida").refusal(of: person("ida", .reviewer))?.message.contains("requested") == true)
        #expect(rules([(.reviewer, 1)]).refusal(of: person("oli", .operator))?.message.contains("none of the roles") == true)
        #expect(rules([(.reviewer, 1)], roleAge: .seconds(86_400)).refusal(of: person("ida", .reviewer, age: .seconds(3600)))?.message.contains("roleAge") == true)
        #expect(rules([(.reviewer, 1)], roleAge: .seconds(86_400)).refusal(of: person("ida", .reviewer)) == nil)
    }
}
