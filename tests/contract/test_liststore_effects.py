"""When versions took effect, kept in every store: the newest ones, sealed, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

from liststore.effects import KEPT, Confirmation, Effect
from tests.fakes.stores import KEYS, Store

APPLIED = Effect(1, 5, 1_780_000_000.25, 1_780_000_000.5)
ACKNOWLEDGED = Effect(1, 6, 1.0, 2.0, 3.0, 4.0, Confirmation(1, 2))


async def test_what_was_kept_is_read_by_agent_and_gateway_alike(store: Store) -> None:
    await store.writer.put_effects([APPLIED, ACKNOWLEDGED])
    assert await store.reader.effects(1, [5, 6, 7]) == {5: APPLIED, 6: ACKNOWLEDGED}
    assert await store.writer.effects(1, [6]) == {6: ACKNOWLEDGED}


async def test_nothing_asked_and_nothing_kept_are_nothing(store: Store) -> None:
    await store.writer.put_effects([])
    assert await store.reader.effects(1, []) == {}


async def test_a_later_word_about_a_version_replaces_the_earlier(store: Store) -> None:
    await store.writer.put_effects([APPLIED])
    await store.writer.put_effects([replace(APPLIED, acknowledged_at=7.0)])
    assert (await store.reader.effects(1, [5]))[5].acknowledged_at == 7.0


async def test_the_newest_are_kept_and_none_passes_for_one_that_was_forgotten(store: Store) -> None:
    await store.writer.put_effects([replace(APPLIED, version=number) for number in range(1, KEPT + 1)])
    assert len(await store.reader.effects(1, range(1, KEPT + 1))) == KEPT
    await store.writer.put_effects([replace(APPLIED, version=5 + KEPT)])
    assert (await store.reader.effects(1, [5, 6, 5 + KEPT])).keys() == {6, 5 + KEPT}
    assert await store.reader.effects(1, [5]) == {}


async def test_an_effect_of_another_epoch_is_none(store: Store) -> None:
    await store.writer.put_effects([APPLIED])
    assert await store.reader.effects(2, [5]) == {}


async def test_an_effect_that_is_altered_or_foreign_is_none(store: Store) -> None:
    await store.writer.put_effects([APPLIED, ACKNOWLEDGED])
    assert await store.stranger.effects(1, [5, 6]) == {}
    store.put(KEYS.effect(5), (store.get(KEYS.effect(5)) or b"")[:-1] + b"\x07")
    assert list(await store.reader.effects(1, [5, 6])) == [6]


async def test_a_store_without_replicas_confirms_at_once(store: Store) -> None:
    assert await store.writer.confirm(0.0) == Confirmation(0, 0)
    assert (await store.writer.confirm(0.0)).is_whole
