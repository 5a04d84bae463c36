"""A travel agency that asks about a tour group at once, and learns what to do with each booking."""
