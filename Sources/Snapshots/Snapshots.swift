// Snapshots: data versions of one realm: import, refresh by recipe, expiry, materialise.
