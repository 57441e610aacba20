// SlipwayTestSupport: fixtures, fake clock, seeded randomness and a test server.
