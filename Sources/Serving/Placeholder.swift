enum PlaceholderServing {}
