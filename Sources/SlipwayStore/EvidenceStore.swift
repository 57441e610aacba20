import SlipwayCore
import SlipwaySQL

/// Evidence is only ever added.
package struct EvidenceStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func insert(_ evidence: Evidence) throws {
        try tx.run(
            Self.insert,
            [
                "id": .text(evidence.id), "promotion": .text(evidence.promotion), "attempt": .integer(evidence.attempt),
                "gate": .text(evidence.gate.rawValue), "at": .integer(evidence.madeAt.milliseconds), "value": .text(try CanonicalJSON.text(evidence)),
            ])
    }

    /// Everything that was ever gathered for the promotion, oldest first.
    package func all(of promotion: String) throws -> [Evidence] {
        try tx.all(Self.ofPromotion, ["promotion": .text(promotion)]).map(Self.evidence)
    }

    /// The newest of each gate in one check under one plan.
    package func newest(of promotion: Promotion) throws -> [GateName: Evidence] {
        let found = try tx.all(Self.ofAttempt, ["promotion": .text(promotion.id), "attempt": .integer(promotion.attempt)]).map(Self.evidence)
        return Dictionary(found.filter { $0.plan == promotion.planDigest }.map { ($0.gate, $0) }) { $1 }
    }

    private static func evidence(_ row: Row) throws -> Evidence { try CanonicalJSON.decode(Evidence.self, from: row.text("value")) }

    private static let insert = Statement(
        "evidence.insert",
        """
        INSERT INTO evidence (id, promotion, attempt, gate, made_at_ms, value) VALUES (:id, :promotion, :attempt, :gate, :at, :value)
        """)
    private static let ofPromotion = Statement(
        "evidence.ofPromotion",
        """
        SELECT value FROM evidence WHERE promotion = :promotion ORDER BY attempt, made_at_ms, id
        """)
    private static let ofAttempt = Statement(
        "evidence.ofAttempt",
        """
        SELECT value FROM evidence WHERE promotion = :promotion AND attempt = :attempt ORDER BY made_at_ms, id
        """)
}
