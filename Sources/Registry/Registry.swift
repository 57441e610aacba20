// Registry: registered models, immutable versions and aliases of one realm.
