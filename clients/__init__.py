"""What callers install: `python/` holds the SDK, each other folder one small real program that stands on it.

The programs are strangers to the gateway: they know the SDK, the standard library and `counter`, and nothing else.
"""
