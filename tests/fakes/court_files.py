"""Files as a court hands them in: events a line, or rows in the columns of the public list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.fakes.bad_lines import raw
from tests.fakes.court import NAME, NUMBER, Json

ROW: Final = {
    "iname": NAME,
    "cardNum": NUMBER,
    "caseCode": "(2026)粤08执1号",
    "gistId": "(2025)粤08民终1号",
    "regDate": "2026年02月01日",
    "publishDate": "2026年05月01日",
    "courtName": "湛江市中级人民法院",
    "areaName": "广东",
    "businessEntity": "",
    "partyTypeName": "自然人",
    "decision_no": "(2026)粤08执1号之一",
    "served_at": "2026-04-22",
    "risk_notice_at": "2026-04-01",
}


def csv_rows(*changes: Mapping[str, str]) -> bytes:
    """A file with the header and one row for each mapping, which says what differs from `ROW`."""
    rows = (",".join({**ROW, **changed}.values()) for changed in changes)
    return "\n".join([",".join(ROW), *rows]).encode()


def json_lines(*lines: Json) -> bytes:
    """A file with one event a line."""
    return b"\n".join(map(raw, lines))
