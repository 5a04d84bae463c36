"""Generations that are not in service and shall go, remembered over a crash, so that none is left in the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from liststore.base import Generation, ListWriter
from settings.files import replace_file


class Spares:
    """Which of this agent's generations are to be dropped, and from which instant on."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        known = orjson.loads(file.read_bytes()) if file.exists() else []
        # What an earlier run left needs no grace.
        self._due: dict[Generation, float] = {Generation(*fields): 0.0 for fields in known}

    def add(self, generation: Generation, grace_s: float) -> None:
        """Let it be dropped after the grace, unless it is in service by then."""
        self._due[generation] = self._clock() + grace_s
        self._write()

    def keep(self, generation: Generation) -> None:
        """It is in service."""
        if self._due.pop(generation, None) is not None:
            self._write()

    async def drop_due(self, store: ListWriter, in_service: Generation) -> None:
        """Drop what is due."""
        for generation in [known for known, due_s in self._due.items() if due_s <= self._clock()]:
            if generation.number != in_service.number:
                await store.drop(generation)
            self.keep(generation)

    def _write(self) -> None:
        fields = [(generation.number, generation.bucket_bits, generation.key_id) for generation in self._due]
        replace_file(self._file, orjson.dumps(fields))
