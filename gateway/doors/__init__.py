"""Doors: thin, three moves a handler - convert, call, convert."""
