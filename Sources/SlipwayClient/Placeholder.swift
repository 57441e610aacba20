enum PlaceholderSlipwayClient {}
