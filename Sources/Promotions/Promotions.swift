// Promotions: the choke point through which everything that changes what an environment runs must go.
