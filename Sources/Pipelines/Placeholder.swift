enum PlaceholderPipelines {}
