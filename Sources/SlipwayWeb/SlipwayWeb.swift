// SlipwayWeb: server-rendered pages: what each shows and how it looks.

import SlipwayCore
import SlipwayHTTP

extension SlipwayContext {
    /// The `{env}` of the address.
    func environment() throws -> EnvironmentID { try EnvironmentID(parsing: parameter("env")) }
}
