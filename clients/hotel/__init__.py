"""A hotel desk that asks about one guest before one night, and prints the notice for the guest alone."""
