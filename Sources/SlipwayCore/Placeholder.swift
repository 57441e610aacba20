enum PlaceholderSlipwayCore {}
