"""The only room that reads the environment. See `settings.load`."""
