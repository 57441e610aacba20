import SlipwayCore

package struct ModelsPage: Sendable {
    package var frame: PageFrame
    package var models: [RegisteredModel]
    package var older: SitePath?
    package var address: String

    package init(frame: PageFrame, models: [RegisteredModel], older: SitePath? = nil, address: String) {
        self.frame = frame
        self.models = models
        self.older = older
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
