"""Everything to try Lintel with: sample lists, fixed identities, faults on request, and the demo that stands on them.

Every document here is one that nobody holds, and is refused outside the sandbox.
"""
