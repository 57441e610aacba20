enum PlaceholderSlipwayAPI {}
