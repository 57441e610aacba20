enum PlaceholderSlipwayWire {}
