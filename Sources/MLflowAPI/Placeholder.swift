enum PlaceholderMLflowAPI {}
