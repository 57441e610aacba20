enum PlaceholderSlipwayBlobs {}
