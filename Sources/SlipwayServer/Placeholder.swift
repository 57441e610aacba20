enum PlaceholderSlipwayServer {}
