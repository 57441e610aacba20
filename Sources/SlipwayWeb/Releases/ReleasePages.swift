import SlipwayCore

package struct ReleasesPage: Sendable {
    package var frame: PageFrame
    package var releases: [Release]
    package var older: SitePath?

    package init(frame: PageFrame, releases: [Release], older: SitePath? = nil) {
        self.frame = frame
        self.releases = releases
        self.older = older
    }
}

package struct ReleasePage: Sendable {
    package var frame: PageFrame
    package var release: Release
    /// Stay on the release for ever, such as `policy:demo`.
    package var marks: [String]
    package var quarantine: Quarantine?
    /// Of this release, newest first.
    package var promotions: [Promotion]

    package init(frame: PageFrame, release: Release, marks: [String] = [], quarantine: Quarantine? = nil, promotions: [Promotion] = []) {
        self.frame = frame
        self.release = release
        self.marks = marks
        self.quarantine = quarantine
        self.promotions = promotions
    }
}
