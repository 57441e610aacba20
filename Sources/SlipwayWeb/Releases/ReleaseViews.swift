import SlipwayCore

package enum ReleasesView {
    package static func html(_ page: ReleasesPage) -> HTML {
        let frame = page.frame
        let rows = page.releases.map { release -> [HTML] in
            [
                Piece.id(release.id.rawValue, .release(frame.environment, release.id.rawValue)), "\(release.content.project.rawValue)",
                Piece.link("\(release.content.modelName) v\(release.modelVersion)", .model(frame.environment, release.content.modelName)),
                Piece.id(release.content.commit), "trained in \(release.content.trainingEnvironment.rawValue)", metrics(release), frame.time(release.createdAt),
            ]
        }
        let empty = Piece.empty(
            "No release yet. An execution seals one when the condition 'model.register' of slipway.yaml holds on its metrics.",
            command: "slipway execution list --environment \(frame.environment.rawValue)")
        return frame.page(
            "Releases", in: .releases,
            "\(rows.isEmpty ? empty : Piece.table("Releases", ["Release", "Project", "Model", "Commit", "Origin", "Measured when sealed", "Sealed"], rows))\(Piece.older(page.older))"
        )
    }

    static func metrics(_ release: Release) -> HTML {
        let plain = release.metrics.filter { !$0.key.contains(".") }.sorted { $0.key < $1.key }.prefix(3)
        return .joined(plain.map { "<small>\($0.key)</small> \(Spelled.number($0.value))" }, by: "&ensp;")
    }
}

package enum ReleaseView {
    package static func html(_ page: ReleasePage) -> HTML {
        let frame = page.frame
        let release = page.release
        let content = release.content
        let quarantine: HTML? = page.quarantine.map {
            Piece.notice(
                .bad, "Quarantined: \($0.reason)",
                remedy:
                    "Nothing may offer it again until somebody who neither requested nor applied it lifts this: slipway release lift \(frame.environment.rawValue)/\(release.id.short)"
            )
        }
        let facts = Piece.facts([
            ("Project", "\(content.project.rawValue)"),
            ("Kind", content.kind == .model ? "model: the same bytes travel" : "code: retrained in the target"),
            ("Model", Piece.link("\(content.modelName) v\(release.modelVersion)", .model(frame.environment, content.modelName))),
            ("Commit", Piece.id(content.commit)),
            ("Tree", Piece.id(content.tree)),
            ("Trained in", "\(content.trainingEnvironment.rawValue), run \(Piece.id(content.trainingRun, .run(content.trainingEnvironment, content.trainingRun)))"),
            ("Execution", Piece.id(release.execution, .execution(content.trainingEnvironment, release.execution))),
            ("Sealed", "\(Piece.moment(release.createdAt)) by \(Piece.principal(release.createdBy))"),
            ("Marks", page.marks.isEmpty ? nil : .joined(page.marks.map { "<span class=\"branch\">\($0)</span>" }, by: " ")),
        ])
        let contents =
            [("Model files", content.modelDigest), ("Python lock", content.lockDigest)].map { name, digest -> [HTML] in ["\(name)", code(digest)] }
            + content.snapshots.sorted { $0.key < $1.key }.map { ["Data ‘\($0.key)’", code($0.value)] as [HTML] }
            + content.contracts.sorted { $0.key < $1.key }.map { ["Checks of ‘\($0.key)’", code($0.value)] as [HTML] }
            + content.configDigests.sorted { $0.key < $1.key }.map { ["Configuration for \($0.key)", code($0.value)] as [HTML] }
        let sealed = Piece.part(
            "What it is made of", note: "its id is the digest of all this, so nothing in it can change",
            Piece.table("Digests", ["Part", "SHA-256"], contents, isPairs: true))
        let metrics = release.metrics.sorted { $0.key < $1.key }.map { ["\($0.key)", "\(Spelled.number($0.value))"] as [HTML] }
        let measured = Piece.part(
            "Measured when sealed", note: "gates measure anew", metrics.isEmpty ? "<p class=\"none\">Nothing.</p>" : Piece.table("Metrics", ["Metric", .number("Value")], metrics))
        return frame.page(
            release.id.short, kicker: "Release", in: .releases,
            "\(quarantine)\(facts)<div class=\"columns\"><div>\(sealed)</div><div>\(promotions(page))\(measured)</div></div>")
    }

    private static func code(_ digest: ContentDigest) -> HTML { "<code class=\"id\">\(digest.rawValue)</code>" }

    private static func promotions(_ page: ReleasePage) -> HTML {
        let rows = page.promotions.map { promotion -> [HTML] in
            [
                Piece.id(promotion.id, .promotion(page.frame.environment, promotion.id)),
                Piece.badge(Spelled.words(promotion.state.rawValue), PromotionTone.tone(promotion.state.rawValue)), "\(promotion.slot.rawValue)",
                page.frame.time(promotion.createdAt),
            ]
        }
        let next = page.frame.environment == .prod ? EnvironmentID.prod : page.frame.environment == .dev ? .stage : .prod
        let empty = Piece.empty("Never requested here.", command: "slipway promotion request \(page.release.id.short) --to \(next.rawValue)")
        return Piece.part("Promotions", rows.isEmpty ? empty : Piece.table("Promotions", ["Promotion", "State", "Slot", "Asked"], rows))
    }
}
