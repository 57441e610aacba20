/// Something that is wrong with an application, found in its traces.
package struct TraceIssue: Sendable, Hashable {
    package enum Status: String, Sendable, Hashable, CaseIterable { case pending, rejected, resolved }
    /// From the least to the worst.
    package enum Severity: String, Sendable, Hashable, CaseIterable { case notAnIssue = "not_an_issue", low, medium, high }

    /// `iss-` and 32 hexadecimal digits.
    package var id: String
    package var experiment: String
    package var project: ProjectName
    package var name: String
    package var description: String
    package var status: Status
    package var severity: Severity?
    package var rootCauses: [String]
    package var categories: [String]
    package var sourceRun: String?
    package var createdBy: String?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, experiment: String, project: ProjectName = .implicit, name: String, description: String, status: Status, severity: Severity?, rootCauses: [String],
        categories: [String], sourceRun: String?, createdBy: String?, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.experiment = experiment
        self.project = project
        self.name = name
        self.description = description
        self.status = status
        self.severity = severity
        self.rootCauses = rootCauses
        self.categories = categories
        self.sourceRun = sourceRun
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
