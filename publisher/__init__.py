"""The court's side: takes events into its book, and signs and serves the feed."""
