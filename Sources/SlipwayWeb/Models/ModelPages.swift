import SlipwayCore

package struct ModelsPage: Sendable {
    package var frame: PageFrame
    package var models: [RegisteredModel]
    /// What was asked for: a part of a name.
    package var named: String?
    package var from: Int
    package var hasMore: Bool
    package var address: String

    static let rowsMax = 100

    package init(frame: PageFrame, models: [RegisteredModel], named: String? = nil, from: Int = 0, hasMore: Bool = false, address: String) {
        self.frame = frame
        self.models = models
        self.named = named
        self.from = from
        self.hasMore = hasMore
        self.address = address
    }
}

package struct ModelPage: Sendable {
    package var frame: PageFrame
    package var model: RegisteredModel
    /// Newest first.
    package var versions: [ModelVersion]

    package init(frame: PageFrame, model: RegisteredModel, versions: [ModelVersion]) {
        self.frame = frame
        self.model = model
        self.versions = versions
    }
}
