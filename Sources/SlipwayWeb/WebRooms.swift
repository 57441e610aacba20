import Access
import SlipwayCore

/// The rooms whose use cases the pages call. A realm that does not run in this process is missing from the dictionaries.
package struct WebRooms: Sendable {
    package var access: AccessService
    package var clock: any WallClock
    /// Such as `http://127.0.0.1:5080`, for the commands that pages teach.
    package var address: String

    package init(access: AccessService, clock: any WallClock, address: String) {
        self.access = access
        self.clock = clock
        self.address = address
    }
}
