enum PlaceholderSlipwayStore {}
