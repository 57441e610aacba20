enum PlaceholderSlipwayTestSupport {}
