/// A page of a search: items and whether there are more.
package struct SearchPage<Item: Sendable>: Sendable {
    package var items: [Item]
    package var hasMore: Bool

    package init(items: [Item], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }

    /// - Parameter rows: one more than `limit`, when there are more.
    package init(rows: [Item], limit: Int) {
        items = Array(rows.prefix(limit))
        hasMore = rows.count > limit
    }

    package func map<T>(_ transform: (Item) throws -> T) rethrows -> SearchPage<T> {
        SearchPage<T>(items: try items.map(transform), hasMore: hasMore)
    }
}

/// Which of the soft-deleted rows a search sees.
package enum LifecycleView: String, Sendable, CaseIterable {
    case active = "ACTIVE_ONLY"
    case deleted = "DELETED_ONLY"
    case all = "ALL"
}

/// One name in a folder of artifacts.
package struct ArtifactEntry: Sendable, Hashable {
    package var name: String
    /// Nil for a folder.
    package var size: Int64?

    package init(name: String, size: Int64?) {
        self.name = name
        self.size = size
    }
}
