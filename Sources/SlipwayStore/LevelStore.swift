import SlipwayCore
import SlipwaySQL

/// Who has which level on which experiment or model, and the bundles of them.
package struct LevelStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    // MARK: A person's own

    /// Direct grants and those of the person's bundles.
    package func all(of user: UserName) throws -> [LevelGrant] { try tx.all(Self.allOf, ["user": .text(user.rawValue)]).compactMap(Self.grant) }
    package func own(of user: UserName) throws -> [LevelGrant] { try tx.all(Self.ownOf, ["user": .text(user.rawValue)]).compactMap(Self.grant) }

    package func own(of user: UserName, on resource: LevelResource) throws -> LevelGrant? {
        try tx.first(Self.ownOn, Self.key(resource, ["user": .text(user.rawValue)])).flatMap(Self.grant)
    }

    package func set(_ level: AccessLevel, of user: UserName, on resource: LevelResource, by actor: Principal, at: Timestamp) throws {
        try tx.run(
            Self.upsertOwn,
            Self.key(resource, ["user": .text(user.rawValue), "level": .text(level.rawValue), "at": .integer(at.milliseconds), "by": .text(actor.raw)]))
    }

    /// - Returns: false when there was none.
    package func remove(of user: UserName, on resource: LevelResource) throws -> Bool {
        try tx.run(Self.deleteOwn, Self.key(resource, ["user": .text(user.rawValue)])) > 0
    }

    /// Everything of somebody who leaves.
    package func removeAll(of user: UserName) throws {
        try tx.run(Self.deleteAllOf, ["user": .text(user.rawValue)])
        try tx.run(Self.deleteMemberships, ["user": .text(user.rawValue)])
    }

    // MARK: A resource's

    /// A model's name is its id, so levels go with it: a later model of the same name starts afresh.
    package func removeAll(on resource: LevelResource) throws { try tx.run(Self.deleteOn, Self.key(resource, [:])) }

    package func rename(_ resource: LevelResource, to id: String) throws { try tx.run(Self.renameResource, Self.key(resource, ["new": .text(id)])) }

    // MARK: Bundles

    package func bundles() throws -> [LevelBundle] { try tx.all(Self.allBundles).map(bundle) }
    package func bundle(_ id: Int64) throws -> LevelBundle? { try tx.first(Self.bundleByID, ["id": .integer(id)]).map(bundle) }
    package func bundle(named name: String) throws -> LevelBundle? { try tx.first(Self.bundleByName, ["name": .text(name)]).map(bundle) }
    package func bundles(of user: UserName) throws -> [LevelBundle] { try tx.all(Self.bundlesOf, ["user": .text(user.rawValue)]).map(bundle) }

    package func insert(bundle name: String, description: String?, by actor: Principal, at: Timestamp) throws -> LevelBundle {
        try tx.run(Self.insertBundle, ["name": .text(name), "description": .text(description), "at": .integer(at.milliseconds), "by": .text(actor.raw)])
        return try bundle(named: name)!
    }

    package func update(bundle id: Int64, name: String?, description: String?) throws {
        try tx.run(Self.updateBundle, ["id": .integer(id), "name": .text(name), "description": .text(description)])
    }

    package func delete(bundle id: Int64) throws {
        for statement in Self.deleteBundle { try tx.run(statement, ["id": .integer(id)]) }
    }

    package func grant(_ id: Int64) throws -> LevelGrant? { try tx.first(Self.grantByID, ["id": .integer(id)]).flatMap(Self.grant) }

    /// - Returns: nil when the bundle has one on this resource already.
    package func insert(_ level: AccessLevel, on resource: LevelResource, bundle: Int64, by actor: Principal, at: Timestamp) throws -> LevelGrant? {
        let key = Self.key(resource, ["bundle": .integer(bundle)])
        let added = try tx.run(
            Self.insertOfBundle, key.merging(["level": .text(level.rawValue), "at": .integer(at.milliseconds), "by": .text(actor.raw)]) { $1 })
        return added > 0 ? try tx.first(Self.ofBundleOn, key).flatMap(Self.grant) : nil
    }

    package func set(_ level: AccessLevel, grant id: Int64) throws { try tx.run(Self.updateGrant, ["id": .integer(id), "level": .text(level.rawValue)]) }
    package func remove(grant id: Int64) throws { try tx.run(Self.deleteGrant, ["id": .integer(id)]) }

    package func members(of bundle: Int64) throws -> [LevelMember] { try tx.all(Self.membersOf, ["bundle": .integer(bundle)]).map(Self.member) }

    package func add(_ user: UserName, to bundle: Int64) throws -> LevelMember {
        let key: [String: SQLValue] = ["bundle": .integer(bundle), "user": .text(user.rawValue)]
        try tx.run(Self.insertMember, key)
        return Self.member(try tx.first(Self.memberOf, key)!)
    }

    /// - Returns: false when the person was no member.
    package func remove(_ user: UserName, from bundle: Int64) throws -> Bool {
        try tx.run(Self.deleteMember, ["bundle": .integer(bundle), "user": .text(user.rawValue)]) > 0
    }

    // MARK: Rows

    private static func key(_ resource: LevelResource, _ more: [String: SQLValue]) -> [String: SQLValue] {
        more.merging(["type": .text(resource.kind.rawValue), "resource": .text(resource.id)]) { $1 }
    }

    private static func grant(_ row: Row) -> LevelGrant? {
        guard let kind = LevelResource.Kind(rawValue: row.text("resource_type")), let level = AccessLevel(rawValue: row.text("level")) else { return nil }
        return LevelGrant(id: row.int64("id"), resource: LevelResource(kind, row.text("resource_id")), level: level, bundle: row.optionalInt("bundle_id"))
    }

    private func bundle(_ row: Row) throws -> LevelBundle {
        LevelBundle(
            id: row.int64("id"), name: row.text("name"), description: row.optionalText("description"),
            grants: try tx.all(Self.ofBundle, ["id": .integer(row.int64("id"))]).compactMap(Self.grant))
    }

    private static func member(_ row: Row) -> LevelMember {
        LevelMember(id: row.int64("id"), bundle: row.int64("bundle_id"), user: UserName(unchecked: row.text("user_name")))
    }
}

extension LevelStore {
    private static let columns = "id, resource_type, resource_id, level, bundle_id"
    fileprivate static let allOf = Statement(
        "level.allOf",
        """
        SELECT \(columns) FROM level_grant WHERE user_name = :user
        UNION ALL
        SELECT g.id, g.resource_type, g.resource_id, g.level, g.bundle_id FROM level_bundle_member m JOIN level_grant g ON g.bundle_id = m.bundle_id
        WHERE m.user_name = :user
        """)
    fileprivate static let ownOf = Statement("level.ownOf", "SELECT \(columns) FROM level_grant WHERE user_name = :user ORDER BY id")
    fileprivate static let ownOn = Statement(
        "level.ownOn", "SELECT \(columns) FROM level_grant WHERE user_name = :user AND resource_type = :type AND resource_id = :resource")
    fileprivate static let upsertOwn = Statement(
        "level.upsertOwn",
        """
        INSERT INTO level_grant (id, user_name, resource_type, resource_id, level, granted_at_ms, granted_by)
        VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM level_grant), :user, :type, :resource, :level, :at, :by)
        ON CONFLICT (user_name, resource_type, resource_id) DO UPDATE
        SET level = excluded.level, granted_at_ms = excluded.granted_at_ms, granted_by = excluded.granted_by
        """)
    fileprivate static let deleteOwn = Statement(
        "level.deleteOwn", "DELETE FROM level_grant WHERE user_name = :user AND resource_type = :type AND resource_id = :resource")
    fileprivate static let deleteAllOf = Statement("level.deleteAllOf", "DELETE FROM level_grant WHERE user_name = :user")
    fileprivate static let deleteMemberships = Statement("levelMember.deleteAllOf", "DELETE FROM level_bundle_member WHERE user_name = :user")
    fileprivate static let deleteOn = Statement("level.deleteOn", "DELETE FROM level_grant WHERE resource_type = :type AND resource_id = :resource")
    fileprivate static let renameResource = Statement(
        "level.rename", "UPDATE level_grant SET resource_id = :new WHERE resource_type = :type AND resource_id = :resource")
    fileprivate static let allBundles = Statement("levelBundle.all", "SELECT * FROM level_bundle ORDER BY id LIMIT 1000")
    fileprivate static let bundleByID = Statement("levelBundle.byID", "SELECT * FROM level_bundle WHERE id = :id")
    fileprivate static let bundleByName = Statement("levelBundle.byName", "SELECT * FROM level_bundle WHERE name = :name")
    fileprivate static let bundlesOf = Statement(
        "levelBundle.ofUser",
        "SELECT b.* FROM level_bundle_member m JOIN level_bundle b ON b.id = m.bundle_id WHERE m.user_name = :user ORDER BY b.id")
    fileprivate static let insertBundle = Statement(
        "levelBundle.insert",
        """
        INSERT INTO level_bundle (id, name, description, created_at_ms, created_by)
        VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM level_bundle), :name, :description, :at, :by)
        """)
    fileprivate static let updateBundle = Statement(
        "levelBundle.update", "UPDATE level_bundle SET name = COALESCE(:name, name), description = COALESCE(:description, description) WHERE id = :id")
    fileprivate static let deleteBundle = [
        Statement("level.deleteOfBundle", "DELETE FROM level_grant WHERE bundle_id = :id"),
        Statement("levelMember.deleteOfBundle", "DELETE FROM level_bundle_member WHERE bundle_id = :id"),
        Statement("levelBundle.delete", "DELETE FROM level_bundle WHERE id = :id"),
    ]
    fileprivate static let ofBundle = Statement("level.ofBundle", "SELECT \(columns) FROM level_grant WHERE bundle_id = :id ORDER BY id")
    fileprivate static let ofBundleOn = Statement(
        "level.ofBundleOn", "SELECT \(columns) FROM level_grant WHERE bundle_id = :bundle AND resource_type = :type AND resource_id = :resource")
    fileprivate static let grantByID = Statement("level.byID", "SELECT \(columns) FROM level_grant WHERE id = :id")
    fileprivate static let insertOfBundle = Statement(
        "level.insertOfBundle",
        """
        INSERT INTO level_grant (id, bundle_id, resource_type, resource_id, level, granted_at_ms, granted_by)
        VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM level_grant), :bundle, :type, :resource, :level, :at, :by)
        ON CONFLICT (bundle_id, resource_type, resource_id) DO NOTHING
        """)
    fileprivate static let updateGrant = Statement("level.update", "UPDATE level_grant SET level = :level WHERE id = :id")
    fileprivate static let deleteGrant = Statement("level.delete", "DELETE FROM level_grant WHERE id = :id")
    fileprivate static let membersOf = Statement("levelMember.of", "SELECT * FROM level_bundle_member WHERE bundle_id = :bundle ORDER BY id")
    fileprivate static let memberOf = Statement("levelMember.byKey", "SELECT * FROM level_bundle_member WHERE bundle_id = :bundle AND user_name = :user")
    fileprivate static let insertMember = Statement(
        "levelMember.insert",
        """
        INSERT INTO level_bundle_member (id, bundle_id, user_name)
        VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM level_bundle_member), :bundle, :user)
        ON CONFLICT (bundle_id, user_name) DO NOTHING
        """)
    fileprivate static let deleteMember = Statement("levelMember.delete", "DELETE FROM level_bundle_member WHERE bundle_id = :bundle AND user_name = :user")
}
