enum PlaceholderSlipwaySQL {}
