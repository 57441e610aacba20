import SlipwayCore

package struct DatasetsPage: Sendable {
    package struct Row: Sendable {
        package var newest: DataSnapshot
        package var freshness: Duration?
        package init(newest: DataSnapshot, freshness: Duration?) {
            self.newest = newest
            self.freshness = freshness
        }
    }

    package var frame: PageFrame
    package var rows: [Row]

    package init(frame: PageFrame, rows: [Row]) {
        self.frame = frame
        self.rows = rows
    }
}

package struct DatasetPage: Sendable {
    package var frame: PageFrame
    package var project: ProjectName
    package var dataset: String
    /// Newest first.
    package var snapshots: [DataSnapshot]
    package var older: SitePath?
    package var freshness: Duration?
    /// Newest first; the adopted one is in force.
    package var recipes: [RefreshRecipe]

    package init(
        frame: PageFrame, project: ProjectName, dataset: String, snapshots: [DataSnapshot], older: SitePath? = nil, freshness: Duration? = nil, recipes: [RefreshRecipe] = []
    ) {
        self.frame = frame
        self.project = project
        self.dataset = dataset
        self.snapshots = snapshots
        self.older = older
        self.freshness = freshness
        self.recipes = recipes
    }
}
