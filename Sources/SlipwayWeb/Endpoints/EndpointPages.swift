import SlipwayCore

package struct EndpointsPage: Sendable {
    package struct Row: Sendable {
        package var slot: Slot
        package var live: Release?
        package var deployments: [DeploymentStatus]
        package var verdict: DriftVerdict?
        package init(slot: Slot, live: Release?, deployments: [DeploymentStatus], verdict: DriftVerdict?) {
            self.slot = slot
            self.live = live
            self.deployments = deployments
            self.verdict = verdict
        }
    }

    package var frame: PageFrame
    package var rows: [Row]

    package init(frame: PageFrame, rows: [Row]) {
        self.frame = frame
        self.rows = rows
    }
}

package struct EndpointPage: Sendable {
    /// What all deployments answered in one minute.
    package struct Minute: Sendable {
        package var at: Timestamp
        package var requests: Int64
        package var errors: Int64
        /// Milliseconds, of the slowest deployment.
        package var latencyP95: Double
        package init(at: Timestamp, requests: Int64, errors: Int64, latencyP95: Double) {
            self.at = at
            self.requests = requests
            self.errors = errors
            self.latencyP95 = latencyP95
        }
    }

    package var frame: PageFrame
    package var slot: Slot
    package var live: Release?
    package var fallback: Release?
    package var deployments: [DeploymentStatus]
    /// release id → model version, for the table of deployments
    package var versions: [String: Int]
    /// Oldest first.
    package var minutes: [Minute]
    /// Rows captured and rows dropped since the gateway started.
    package var captured: (kept: Int64, dropped: Int64)?
    /// Why the gateway could not be asked, nil when it was.
    package var silence: String?
    /// In event time, oldest first.
    package var reports: [DriftReport]
    package var retrainings: [DriftRetraining]
    package var mayRollBack: Bool
    package var address: String

    package init(
        frame: PageFrame, slot: Slot, live: Release?, fallback: Release?, deployments: [DeploymentStatus], versions: [String: Int] = [:],
        minutes: [Minute] = [], captured: (kept: Int64, dropped: Int64)? = nil, silence: String? = nil, reports: [DriftReport] = [], retrainings: [DriftRetraining] = [],
        mayRollBack: Bool, address: String
    ) {
        self.frame = frame
        self.slot = slot
        self.live = live
        self.fallback = fallback
        self.deployments = deployments
        self.versions = versions
        self.minutes = minutes
        self.captured = captured
        self.silence = silence
        self.reports = reports
        self.retrainings = retrainings
        self.mayRollBack = mayRollBack
        self.address = address
    }
}

/// Asks once more before a rollback, and says what it will do.
package struct RollbackPage: Sendable {
    package var frame: PageFrame
    package var slot: Slot
    package var live: Release?
    package var fallback: Release?
    package var error: SlipwayError?

    package init(frame: PageFrame, slot: Slot, live: Release?, fallback: Release?, error: SlipwayError? = nil) {
        self.frame = frame
        self.slot = slot
        self.live = live
        self.fallback = fallback
        self.error = error
    }
}

/// What a slot held and when: the time machine.
package struct HistoryPage: Sendable {
    package var frame: PageFrame
    package var slot: String
    /// Oldest first.
    package var chapters: [SlotChapter]
    /// The moment that is asked for, as it was typed, and what answered then.
    package var at: String?
    package var answer: SlotChapter?
    package var answerRelease: Release?
    package var answerPromotion: Promotion?
    package var error: SlipwayError?

    package init(
        frame: PageFrame, slot: String, chapters: [SlotChapter], at: String? = nil, answer: SlotChapter? = nil, answerRelease: Release? = nil,
        answerPromotion: Promotion? = nil, error: SlipwayError? = nil
    ) {
        self.frame = frame
        self.slot = slot
        self.chapters = chapters
        self.at = at
        self.answer = answer
        self.answerRelease = answerRelease
        self.answerPromotion = answerPromotion
        self.error = error
    }
}
