enum PlaceholderMonitoring {}
