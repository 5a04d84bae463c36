"""What goes wrong in a simulation, as a table: each fault is put in, lasts, and is taken away again.

A row has a weight (how often it is drawn) and the deed, given the world and how long it lasts in simulated seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from tests.faults.simulation.store import Trouble
from tests.faults.simulation.world import AgentHost, GatewayHost, World

_FEW_FILE_STEPS: Final = 40
_SKEW_S: Final = 7_200.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One row."""

    name: str
    weight: int
    deed: Callable[[World, float], Coroutine[Any, Any, None]]


async def _kill_agent(world: World, lasts_s: float) -> None:
    await _killed(_one_agent(world), lasts_s)


async def _kill_gateway(world: World, lasts_s: float) -> None:
    await _killed(world.around.chance.choice(world.gateways), lasts_s)


async def _killed(host: AgentHost | GatewayHost, lasts_s: float) -> None:
    host.process.kill()
    await asyncio.sleep(lasts_s)
    _restart(host)


def _restart(host: AgentHost | GatewayHost) -> None:
    """As a service manager does: only what is dead."""
    if host.process.killed:
        host.start()


async def _stop_any(world: World, lasts_s: float) -> None:
    process = world.around.chance.choice(world.hosts).process
    process.stopped = True
    await asyncio.sleep(lasts_s)
    process.resume()


async def _cut_power(world: World, lasts_s: float) -> None:
    """The agent's machine goes off at one of its next file steps."""
    host, chance = _one_agent(world), world.around.chance
    steps = world.disk.cut_in
    assert steps is not None
    steps[host.process] = chance.randrange(_FEW_FILE_STEPS)
    while not host.process.killed and host.process in steps:
        await asyncio.sleep(0.1)
        if not chance.randrange(200):
            break
    steps.pop(host.process, None)
    await asyncio.sleep(lasts_s)
    _restart(host)


async def _fill_disk(world: World, lasts_s: float) -> None:
    world.disk.full = True
    await asyncio.sleep(lasts_s)
    world.disk.full = False


async def _skew_clock(world: World, lasts_s: float) -> None:
    chance = world.around.chance
    process = chance.choice(world.hosts).process
    process.wall_offset_s = chance.uniform(-_SKEW_S, _SKEW_S)
    await asyncio.sleep(lasts_s)
    process.wall_offset_s = 0.0


def _trouble(**values: Any) -> Callable[[World, float], Coroutine[Any, Any, None]]:
    """One host's link to the store is bad in this way."""

    async def deed(world: World, lasts_s: float) -> None:
        trouble, usual = world.around.chance.choice(world.hosts).trouble, Trouble()
        for field, value in values.items():
            setattr(trouble, field, value)
        await asyncio.sleep(lasts_s)
        for field in values:
            setattr(trouble, field, getattr(usual, field))

    return deed


async def _store_down(world: World, lasts_s: float) -> None:
    world.around.servers.is_down = True
    await asyncio.sleep(lasts_s)
    world.around.servers.is_down = False


async def _flush(world: World, _lasts_s: float) -> None:
    world.around.servers.flush()


async def _promote(world: World, _lasts_s: float) -> None:
    world.around.servers.promote()


async def _lose_cells(world: World, _lasts_s: float) -> None:
    cells, chance = world.around.servers.primary.cells, world.around.chance
    for key in chance.sample(list(cells), min(len(cells), chance.choice((1, 1, 5, 30)))):
        del cells[key]


async def _alter_cells(world: World, _lasts_s: float) -> None:
    cells, chance = world.around.servers.primary.cells, world.around.chance
    for key in chance.sample(list(cells), min(len(cells), chance.choice((1, 1, 5, 30)))):
        content = bytearray(cells[key])
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            cells[key] = bytes(content)


async def _old_cells(world: World, _lasts_s: float) -> None:
    """Single cells go back to what the replica has: sealed, in their own place, and old."""
    servers, chance = world.around.servers, world.around.chance
    known = [key for key in servers.primary.cells if key in servers.replica.cells]
    for key in chance.sample(known, min(len(known), chance.choice((1, 5, 50)))):
        servers.primary.cells[key] = servers.replica.cells[key]


async def _court_away(world: World, lasts_s: float) -> None:
    web = _one_agent(world).web
    web.is_away = True
    await asyncio.sleep(lasts_s)
    web.is_away = False


async def _replay(world: World, lasts_s: float) -> None:
    """A mirror goes on showing what the feed was."""
    web = _one_agent(world).web
    if web.replayed is None:
        web.replayed = world.around.court.publisher.photograph()
        await asyncio.sleep(lasts_s)
        web.replayed = None


async def _flip(world: World, lasts_s: float) -> None:
    web = _one_agent(world).web
    web.flipped = 0.5
    await asyncio.sleep(lasts_s)
    web.flipped = 0.0


def _one_agent(world: World) -> AgentHost:
    return world.around.chance.choice(world.agents)


FAULTS: Final = (
    Fault("agent killed", 6, _kill_agent),
    Fault("agent's power cut at a file step", 6, _cut_power),
    Fault("gateway killed", 4, _kill_gateway),
    Fault("any part stopped", 6, _stop_any),
    Fault("disk full", 2, _fill_disk),
    Fault("clock up to two hours wrong", 3, _skew_clock),
    Fault("link to the store loses questions", 4, _trouble(lost=0.3)),
    Fault("link to the store loses replies", 6, _trouble(deaf=0.3)),
    Fault("link to the store crosses replies", 3, _trouble(crossed=0.2)),
    Fault("link to the store is slow", 3, _trouble(delay_s=0.05)),
    Fault("link to the store is cut", 3, _trouble(is_cut=True)),
    Fault("store down", 3, _store_down),
    Fault("store flushed", 1, _flush),
    Fault("stale replica promoted", 3, _promote),
    Fault("cells lost", 3, _lose_cells),
    Fault("cells altered", 3, _alter_cells),
    Fault("cells older than they were", 3, _old_cells),
    Fault("feed away", 2, _court_away),
    Fault("feed replayed", 2, _replay),
    Fault("feed with flipped bits", 3, _flip),
)
