"""A property registry that asks about every buyer of a filing alone."""
