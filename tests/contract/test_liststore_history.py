"""Memory and Redis agree on every history, and both agree with a plain dictionary."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis import Redis

from liststore.base import PARTITIONS, Generation, Head, ListReader, ListWriter, Move
from liststore.memory_store import MemoryStore
from liststore.wiring import open_reader, open_writer
from restriction.change import Change, Lane
from restriction.errors import FencedError, GapError
from tests.fakes.liststore import BUCKET_KEY, head_of, put_list

# Few tokens in few buckets, so that histories meet: two partitions, tokens that differ in one bit.
TOKENS = [
    bytes([partition, first]) + bytes(13) + bytes([last])
    for partition in (0, 9)
    for first in (0, 128)
    for last in (0, 1)
]
CONTENT = st.dictionaries(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=70))


class Histories(RuleBasedStateMachine):
    """Loads, writes, fenced writes and announcements, in any order."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        memory = MemoryStore(BUCKET_KEY)
        self.stores: list[tuple[ListReader, ListWriter]] = [
            (memory.reader(), memory.writer()),
            (open_reader(self.url, BUCKET_KEY), open_writer(self.url, BUCKET_KEY)),
        ]
        with Redis.from_url(self.url) as client:
            client.flushall()
        self.truth: dict[bytes, bytes] = {}
        self.added: dict[int, list[bytes]] = {}

    @initialize(content=CONTENT, bits=st.integers(0, 3))
    def begin(self, content: dict[bytes, bytes], bits: int) -> None:
        self.generation = Generation(1, bits, "k1")
        self.version, self.truth = 1, content
        self.announced, _ = (
            self.runner.run(put_list(writer, content, generation=self.generation)) for _, writer in self.stores
        )

    @rule(content=CONTENT, changed=st.sets(st.sampled_from(TOKENS)))
    def advance(self, content: dict[bytes, bytes], changed: set[bytes]) -> None:
        removed = changed - content.keys()
        after = {token: record for token, record in {**self.truth, **content}.items() if token not in removed}
        changes = [Change(token, after.get(token, b""), Lane.EASE) for token in sorted(content.keys() | changed)]
        moves = [
            Move(
                partition,
                self.head(self.truth, partition, self.version),
                self.head(after, partition, self.version + 1),
                tuple(change for change in changes if change.token[0] == partition),
            )
            for partition in range(PARTITIONS)
        ]
        self.version, self.truth = self.version + 1, after
        self.added[self.version] = sorted(content)
        state = replace(self.announced.state, version=self.version)
        self.announced = replace(self.announced, state=state)
        for _, writer in self.stores:
            self.runner.run(writer.write(self.generation, moves))
            self.runner.run(writer.announce(self.announced, self.added[self.version]))

    @rule(token=st.sampled_from(TOKENS), version=st.integers(0, 9), digest=st.sampled_from([b"", bytes(32)]))
    def write_on_another_base(self, token: bytes, version: int, digest: bytes) -> None:
        ours = self.head(self.truth, token[0], self.version)
        base = replace(ours, version=version, digest=digest or ours.digest)
        if base == ours:
            return
        move = Move(token[0], base, replace(base, version=99), (Change(token, b"stale", Lane.BURDEN),))
        for _, writer in self.stores:
            with pytest.raises(FencedError):
                self.runner.run(writer.write(self.generation, [move]))

    @rule(after=st.integers(0, 9), upto=st.integers(0, 9))
    def additions(self, after: int, upto: int) -> None:
        for reader, _ in self.stores:
            if upto > after and (after < 1 or upto > self.version):
                with pytest.raises(GapError):
                    self.runner.run(reader.additions(1, after, upto))
            else:
                expected = [token for version in range(after + 1, upto + 1) for token in self.added[version]]
                assert self.runner.run(reader.additions(1, after, upto)) == expected

    @invariant()
    def all_say_the_truth(self) -> None:
        expected = [self.truth.get(token) for token in TOKENS]
        for reader, writer in self.stores:
            assert self.runner.run(reader.announcement()) == self.announced
            assert self.runner.run(reader.find_many(TOKENS, self.announced)) == expected
            assert self.runner.run(writer.read(self.generation, TOKENS)) == self.truth

    def head(self, records: Mapping[bytes, bytes], partition: int, version: int) -> Head:
        held = {token: record for token, record in records.items() if token[0] == partition}
        return head_of(self.generation, held, version=version)

    def teardown(self) -> None:
        for ports in self.stores:
            for port in ports:
                self.runner.run(port.close())
        self.runner.close()


def test_memory_redis_and_a_dictionary_agree_on_every_history(valkey_server: str) -> None:
    histories = settings(max_examples=20, stateful_step_count=12)  # every step is half a thousand commands
    run_state_machine_as_test(type("OnServer", (Histories,), {"url": valkey_server}), settings=histories)
