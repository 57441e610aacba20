import SlipwayWeb

extension House {
    /// The pages. Called last, when every room they show is there.
    func addWeb() throws {
        let rooms = WebRooms(access: foundations.access, clock: foundations.clock, address: foundations.address)
        try AssetRoutes(resources: foundations.resources).add(to: router)
        SignInRoutes(access: foundations.access).add(to: router)
        BoardRoutes(rooms: rooms).add(to: router)
    }
}
