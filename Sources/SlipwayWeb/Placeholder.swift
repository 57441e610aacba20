enum PlaceholderSlipwayWeb {}
