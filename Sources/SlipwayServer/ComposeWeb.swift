import SlipwayWeb

extension House {
    /// The pages. Called last, when every room they show is there.
    func addWeb() throws {
        var rooms = WebRooms(access: foundations.access, clock: foundations.clock, address: foundations.address)
        rooms.code = codeHistory
        rooms.executions = executions
        rooms.tracking = tracking
        rooms.registries = registries
        rooms.snapshots = snapshots
        rooms.refreshes = refreshes
        rooms.promotions = promotions
        rooms.endpoints = endpointServices
        rooms.monitoring = monitoring
        try AssetRoutes(resources: foundations.resources).add(to: router)
        SignInRoutes(access: foundations.access).add(to: router)
        BoardRoutes(rooms: rooms).add(to: router)
        ExecutionPageRoutes(rooms: rooms).add(to: router)
        ExperimentPageRoutes(rooms: rooms).add(to: router)
        CurveRoutes(rooms: rooms).add(to: router)
        TracePageRoutes(rooms: rooms).add(to: router)
        ComparePageRoutes(rooms: rooms).add(to: router)
        ArtifactPageRoutes(rooms: rooms).add(to: router)
        RunPageRoutes(rooms: rooms).add(to: router)
        DataPageRoutes(rooms: rooms).add(to: router)
        ModelPageRoutes(rooms: rooms).add(to: router)
        VersionPageRoutes(rooms: rooms).add(to: router)
        LinkRoutes(rooms: rooms).add(to: router)
        ReleasePageRoutes(rooms: rooms).add(to: router)
        PromotionPageRoutes(rooms: rooms).add(to: router)
        EndpointPageRoutes(rooms: rooms).add(to: router)
        AuditPageRoutes(rooms: rooms).add(to: router)
    }
}
