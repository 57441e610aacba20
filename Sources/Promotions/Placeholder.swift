enum PlaceholderPromotions {}
