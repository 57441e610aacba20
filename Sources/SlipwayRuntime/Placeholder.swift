enum PlaceholderSlipwayRuntime {}
