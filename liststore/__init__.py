"""The exact store: whose record is what, at which version; a view that can always be rebuilt from the signed feed."""
