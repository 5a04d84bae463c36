"""Everything that is done to Lintel on purpose: attacks on the feed, crashes, broken stores and networks, chaos.

Each experiment is one module with `run(plan) -> Outcome`; `./run faults` runs them at full size and writes a report,
and a test beside each runs it small, so that none of them rots.
"""
