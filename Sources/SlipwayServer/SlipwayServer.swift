// SlipwayServer: the one place that builds every room and hands them to the service group.
