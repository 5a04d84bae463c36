"""Load, measured, and judged by the oracle: `./run bench`. Nothing here is a timed test."""
