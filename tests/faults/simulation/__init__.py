"""A seeded simulation of agents, store and gateways: the product's own code on simulated time, network, store and disk.

One seed is ten simulated minutes: a court that changes its list without pause, two agents on one store, three gateways
whose answers are all judged, and faults one after the other and on top of each other. Then all is mended, and within a
calm the store must equal what was signed, and every gateway answer everybody right.
The same seed gives the same run, step by step: `trace` is a hash over all that happened.

What is simulated: time, the network between parts, the store's server, crashes, full disks. What is not: the agent,
its verified copy and TUF client, the store's layout, the gateway's follower, filters and screener, the signed feed.
"""

from __future__ import annotations

from tests.faults.plan import Outcome, Plan
from tests.faults.simulation.seeds import run_seed, run_seeds

__all__ = ["run", "run_seed"]


def run(plan: Plan) -> Outcome:
    """Simulate seed after seed for `plan.seconds`."""
    return run_seeds(plan)
