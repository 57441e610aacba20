enum PlaceholderSlipwaySQLite {}
