import SlipwayCore
import SlipwaySQL

/// Who holds which role of which project in this realm.
package struct GrantStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// - Returns: false when the person held the role already.
    package func grant(_ role: Role, of project: ProjectName, to user: UserName, by actor: Principal, at: Timestamp) throws -> Bool {
        try tx.run(
            Self.insert,
            [
                "user": .text(user.rawValue), "project": .text(project.rawValue), "role": .text(role.rawValue),
                "at": .integer(at.milliseconds), "by": .text(actor.raw),
            ]) > 0
    }

    /// - Returns: false when there was nothing to take away.
    package func revoke(_ role: Role, of project: ProjectName, from user: UserName) throws -> Bool {
        try tx.run(Self.delete, ["user": .text(user.rawValue), "project": .text(project.rawValue), "role": .text(role.rawValue)]) > 0
    }

    /// Everything of somebody who leaves.
    package func revokeAll(of user: UserName) throws { try tx.run(Self.deleteAll, ["user": .text(user.rawValue)]) }

    package func grants(of user: UserName, in environment: EnvironmentID) throws -> [RoleGrant] {
        try tx.all(Self.ofUser, ["user": .text(user.rawValue)]).compactMap { Self.grant($0, environment) }
    }

    package struct Holder: Sendable { package var user: UserName; package var grant: RoleGrant }

    package func holders(in project: ProjectName, _ environment: EnvironmentID) throws -> [Holder] {
        try tx.all(Self.ofProject, ["project": .text(project.rawValue)]).compactMap { row in
            Self.grant(row, environment).map { Holder(user: UserName(unchecked: row.text("user_name")), grant: $0) }
        }
    }

    private static func grant(_ row: Row, _ environment: EnvironmentID) -> RoleGrant? {
        Role(rawValue: row.text("role")).map {
            RoleGrant(
                project: ProjectName(unchecked: row.text("project")), environment: environment, role: $0,
                grantedAt: Timestamp(milliseconds: row.int64("granted_at_ms")))
        }
    }

    private static let insert = Statement(
        "grant.insert",
        """
        INSERT INTO role_grant (user_name, project, role, granted_at_ms, granted_by) VALUES (:user, :project, :role, :at, :by)
        ON CONFLICT (user_name, project, role) DO NOTHING
        """)
    private static let delete = Statement("grant.delete", "DELETE FROM role_grant WHERE user_name = :user AND project = :project AND role = :role")
    private static let deleteAll = Statement("grant.deleteAll", "DELETE FROM role_grant WHERE user_name = :user")
    private static let ofUser = Statement("grant.ofUser", "SELECT * FROM role_grant WHERE user_name = :user")
    private static let ofProject = Statement("grant.ofProject", "SELECT * FROM role_grant WHERE project = :project ORDER BY user_name, role")
}
