"""A private school that asks about whoever pays, and never about the pupil."""
