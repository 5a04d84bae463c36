"""Where the gateway is and who asks: what both clients need before their first call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from lintel_client.errors import Failure, SettingError

ADDRESS, KEY, CA_FILE, INSECURE = "LINTEL_ADDRESS", "LINTEL_KEY", "LINTEL_CA_FILE", "LINTEL_INSECURE"
# A connection that a firewall dropped is noticed between two guests, not by the next one.
CHANNEL_OPTIONS: Final = (("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 5_000))


@dataclass(frozen=True, slots=True)
class Connection:
    """HOST:PORT, the unit's key, and how to trust the gateway: a CA file, the system's CAs, or not at all."""

    address: str
    key: str = field(repr=False)
    ca_file: Path | None = None
    insecure: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Connection:
        """From LINTEL_ADDRESS, LINTEL_KEY and, if set, LINTEL_CA_FILE and LINTEL_INSECURE=1. Raises: SettingError."""
        given = os.environ if environ is None else environ  # noqa: TID251 - the SDK stands alone at its caller's
        for name in (ADDRESS, KEY):
            if not given.get(name):
                raise _missing(f"{name}: set it to the gateway's HOST:PORT" if name == ADDRESS else f"{name}: set it")
        ca_file, insecure = given.get(CA_FILE), given.get(INSECURE) or "0"
        if insecure not in {"0", "1"}:
            raise _missing(f"{INSECURE}: neither 0 nor 1: set it to 1 to talk in clear text, or leave it out")
        return cls(given[ADDRESS], given[KEY], Path(ca_file) if ca_file else None, insecure == "1")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What says on each call who asks."""
        return (("authorization", f"Bearer {self.key}"),)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """How the channel trusts the gateway; None is clear text, for loopback alone. Raises: SettingError."""
        if self.insecure:
            return None
        if self.ca_file is None:
            return grpc.ssl_channel_credentials()
        try:
            return grpc.ssl_channel_credentials(self.ca_file.read_bytes())
        except OSError as error:
            raise _missing(f"{CA_FILE}: {error.strerror}: name a readable PEM file") from None


def _missing(message: str) -> SettingError:
    return SettingError(Failure(message, "SETTING_INVALID"))
