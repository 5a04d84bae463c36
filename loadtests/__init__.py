"""Load, measured and judged: benches beside their yardsticks, and locust profiles. Nothing here is a timed test."""
