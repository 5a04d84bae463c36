"""The asynchronous client. `sync_client.py` is generated from this file by `unasync.py`: edit here alone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import grpc

from lintel.v1 import restriction_pb2, restriction_pb2_grpc
from lintel_client import wire
from lintel_client.connection import CHANNEL_OPTIONS, Connection
from lintel_client.errors import LintelClientError, from_call
from lintel_client.patience import Patience
from lintel_client.values import Decision, ListStatus, Question

CHECK_TIMEOUT_S: Final = 2.0
BATCH_TIMEOUT_S: Final = 10.0
S = TypeVar("S")
R = TypeVar("R")


class AsyncClient:
    """One channel to a gateway, made at once; make it inside a running loop, and close it or use it as a context.

    Every method raises a `LintelClientError` when there is no answer; it never answers by itself.
    """

    def __init__(self, address: str, *, key: str, ca_file: Path | None = None, insecure: bool = False) -> None:
        self._connection = Connection(address, key, ca_file, insecure)
        credentials = self._connection.credentials()
        self._channel = (
            grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, CHANNEL_OPTIONS)
        )
        self._stub = restriction_pb2_grpc.RestrictionServiceStub(self._channel)

    @classmethod
    def from_env(cls) -> Self:
        """A client as LINTEL_ADDRESS, LINTEL_KEY, LINTEL_CA_FILE and LINTEL_INSECURE say. Raises: SettingError."""
        found = Connection.from_env()
        return cls(found.address, key=found.key, ca_file=found.ca_file, insecure=found.insecure)

    async def check(self, question: Question, *, timeout_s: float = CHECK_TIMEOUT_S) -> Decision:
        """The answer to one question."""
        answer = await self._call(self._stub.Check, wire.request_of(question), timeout_s)
        return wire.decision_of(question, answer)

    async def batch_check(
        self, questions: Sequence[Question], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Decision | LintelClientError]:
        """One result for each of up to 1,000 questions, in order: its decision, or the error it would have raised."""
        request = restriction_pb2.BatchCheckRequest(checks=[wire.request_of(question) for question in questions])
        return wire.batch_of(questions, await self._call(self._stub.BatchCheck, request, timeout_s))

    async def list_status(self, *, timeout_s: float = CHECK_TIMEOUT_S) -> ListStatus:
        """The list that the gateway answers from."""
        request = restriction_pb2.GetListStatusRequest()
        return wire.status_of(await self._call(self._stub.GetListStatus, request, timeout_s))

    async def close(self) -> None:
        """Let go of the channel."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, method: grpc.aio.UnaryUnaryMultiCallable[S, R], request: S, timeout_s: float) -> R:
        patience = Patience(time.monotonic() + timeout_s)
        attempt = 0
        while True:
            attempt += 1
            left_s = patience.left_s(time.monotonic())
            try:
                return await method(request, timeout=left_s, metadata=self._connection.metadata)
            except grpc.RpcError as raised:
                error = from_call(raised)
            wait_s = patience.wait_s(error, attempt, time.monotonic(), random.random())  # noqa: S311 - spreads load
            if wait_s is None:
                raise error
            await asyncio.sleep(wait_s)
