"""Moves the list forward: fetches the signed feed, proves it, and brings the store to its state."""
