// SlipwayStore: every SQL text, one store per aggregate over an open transaction, and the migrations.

import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL

/// One environment's own database and bytes. No table in it has an environment column: a service is built once per realm.
package struct Realm: Sendable {
    package let environment: EnvironmentID
    package let database: any Database
    package let blobs: BlobFolder
    /// The realm's folder: artifacts, executions, captures, gateway state.
    package let directory: URL
    /// Where clients' artifacts are kept.
    package let places: ArtifactPlaces

    package init(environment: EnvironmentID, database: any Database, blobs: BlobFolder, directory: URL, places: ArtifactPlaces = .blobs) {
        self.places = places
        self.environment = environment
        self.database = database
        self.blobs = blobs
        self.directory = directory
    }

    /// What the realm above (promotion) or below (refresh) may be given.
    package var reader: RealmReader { RealmReader(environment: environment, database: database, blobs: blobs) }
}

/// A realm that can only be read.
package struct RealmReader: Sendable {
    package let environment: EnvironmentID
    package let database: any DatabaseReader
    package let blobs: any BlobReader
}
