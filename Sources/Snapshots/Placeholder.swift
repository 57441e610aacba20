enum PlaceholderSnapshots {}
