"""CSV of the public list: each row becomes the LIST line that it says.

One row a line, UTF-8, a header of column names first. What a row says, and how it is read:

| Column | Becomes |
|---|---|
| `iname`, `partyTypeName` (自然人 or 580, 法人或其他组织 or 581) | name and kind |
| `cardNum` | the document: 15 or 18 characters of a person, 9 of a unit's organisation code, else its credit code |
| `caseCode`, `gistId`, `decision_no` | the references |
| `publishDate` | effective time (its first second) and `term_from` |
| `served_at`, `risk_notice_at` | the same |
| `courtName` | the court of that name in the directory, or its code; it is the issuer too |
| `decided_at` | the same; left out: the day of the risk notice, the earliest lawful one, in a young holder's favour |
| `disruptTypeName` or `ground` | the ground; left out: 1, the only one under which a row without an end is lawful |
| `term_until` | the same; left out: open for ground 1, two years for the others (法释〔2017〕7号 art. 2) |

`businessEntity` names a linked person without a document, whom nothing can be matched to: a link needs a court event.
That column and the others of the public list are read past; a column outside it is refused.
The entry's id is a digest of court, case, decision and name, so that a row submitted twice is listed once; later events
about it use the id that the report tells.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import date as _Date  # noqa: N812  `_date` reads a cell
from typing import Final, NoReturn

from publisher.lines import MAX_LINE_BYTES
from publisher.reading import refuse
from restriction.calendar import date_from_day, day_from_date
from restriction.documents import DocumentType
from restriction.errors import InvalidFieldError
from restriction.lawful import months_after
from restriction.parameters import Court

NEEDED: Final = (
    "iname", "cardNum", "caseCode", "gistId", "publishDate", "courtName", "partyTypeName", "decision_no", "served_at",
    "risk_notice_at",
)  # fmt: skip
_OPTIONAL: Final = frozenset({"decided_at", "ground", "disruptTypeName", "term_until"})
_READ_PAST: Final = frozenset(
    {
        "id", "regDate", "areaName", "businessEntity", "gistUnit", "duty", "performance", "performedPart",
        "unperformPart", "sexy", "age",
    }
)  # fmt: skip
_KINDS: Final = {"自然人": "PERSON", "580": "PERSON", "法人或其他组织": "UNIT", "581": "UNIT"}
# Words that tell the six grounds of 法释〔2017〕7号 art. 1 apart; of several the first here, since its term has an end.
_GROUND_WORDS: Final = {"妨碍、抗拒执行": 2, "规避执行": 3, "财产报告": 4, "消费令": 5, "和解协议": 6, "拒不履行": 1}
_OPEN_TERM_GROUND: Final = 1
_TERM_MONTHS: Final = 24
_OLD_CARD_CHARS: Final = 15
_ORGANISATION_CODE_CHARS: Final = 9
_DATE: Final = re.compile(r"(\d{4})[年-](\d{1,2})[月-](\d{1,2})日?", re.ASCII)
_LEGAL_BASIS: Final = "法释〔2017〕7号"
_ID_BYTES: Final = 16
# Where the fields of a LIST line come from, to tell a refusal by its column.
_COLUMNS: Final = {
    "entry.subject.name": "iname",
    "entry.subject.documents[0].number": "cardNum",
    "entry.subject.birth_date": "cardNum",
    "entry.subject": "cardNum",
    "entry.case_no": "caseCode",
    "entry.basis_doc_no": "gistId",
    "entry.term_from": "publishDate",
    "effective_at": "publishDate",
    "issuer": "courtName",
    "entry.court": "courtName",
}


class CsvLines:
    """Rows of one CSV file, whose first line names the columns."""

    def __init__(self, courts: Mapping[int, Court]) -> None:
        self._courts = {court.name_zh: str(code) for code, court in courts.items()}
        self._columns: tuple[str, ...] = ()
        self._problem = InvalidFieldError("header", "MISSING", "name the columns in the first line")

    def begin(self, lines: Iterator[tuple[int, bytes]]) -> None:
        """Read the header. When it is not usable, every row is refused for it."""
        for _, header in lines:
            try:
                self._columns = _header(header)
            except InvalidFieldError as error:
                self._problem = error
            return

    def parse(self, line: bytes) -> dict[str, object]:
        """The LIST line that a row says. Raises: InvalidFieldError by column."""
        if not self._columns:
            raise self._problem
        cells = _cells(line)
        if len(cells) != len(self._columns):
            refuse("line", "WRONG_NUMBER_OF_CELLS", "give a cell for every column of the header")
        row = {name: cell.strip() for name, cell in zip(self._columns, cells, strict=True)}
        for name in NEEDED:
            if not row[name]:
                refuse(name, "MISSING", "fill the cell")
        return _listing(row, self._court(row["courtName"]))

    def column(self, field: str) -> str:
        """The column that a field of the LIST line came from."""
        return _COLUMNS.get(field, field.removeprefix("entry."))

    def _court(self, name: str) -> str:
        code = self._courts.get(name)
        if code is None and not (name.isascii() and name.isdigit()):
            refuse("courtName", "UNKNOWN_COURT", "use a name of the signed court directory")
        return code or name


def _header(line: bytes) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in _cells(line))
    for name in columns:
        if name not in _OPTIONAL | _READ_PAST and name not in NEEDED:
            refuse(name if name.isidentifier() and name.isascii() else "header", "UNKNOWN_COLUMN", "leave it out")
    if len(set(columns)) != len(columns):
        refuse("header", "COLUMN_TWICE", "name each column once")
    for name in NEEDED:
        if name not in columns:
            refuse(name, "MISSING_COLUMN", "add the column")
    return columns


def _cells(line: bytes) -> list[str]:
    if len(line) > MAX_LINE_BYTES:
        refuse("line", "TOO_LONG", f"send at most {MAX_LINE_BYTES} bytes a line")
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except UnicodeDecodeError:
        refuse("line", "NOT_UTF8", "save the file as UTF-8")
    except csv.Error:
        refuse("line", "NOT_CSV", "close the quotes and keep a row on one line")


def _listing(row: Mapping[str, str], court: str) -> dict[str, object]:
    kind = _KINDS.get(row["partyTypeName"])
    if kind is None:
        refuse("partyTypeName", "UNKNOWN", "use 自然人 or 法人或其他组织")
    ground = _ground(row)
    published = _date(row, "publishDate")
    told = "\0".join((court, row["caseCode"], row["decision_no"], row["iname"])).encode()
    entry_id = "csv-" + hashlib.blake2b(told, digest_size=_ID_BYTES).hexdigest()
    at = f"{published}T00:00:00+08:00"
    entry = {
        "entry_id": entry_id,
        "version": 1,
        "subject": {"kind": kind, "name": row["iname"], "documents": [_document(kind, row["cardNum"])]},
        "court": court,
        "case_no": row["caseCode"],
        "basis_doc_no": row["gistId"],
        "ground": ground,
        "decision_no": row["decision_no"],
        "decided_at": _date(row, "decided_at" if row.get("decided_at") else "risk_notice_at"),
        "served_at": _date(row, "served_at"),
        "risk_notice_at": _date(row, "risk_notice_at"),
        "term_from": published,
        "term_until": _until(row, ground, published),
        "publishable": True,
    }
    return {
        "event_id": f"{entry_id}/list", "type": "LIST", "issued_at": at, "effective_at": at, "issuer": court,
        "legal_basis": _LEGAL_BASIS, "entry": entry,
    }  # fmt: skip


def _document(kind: str, number: str) -> dict[str, str]:
    """Its type follows from the stated kind of party and the length; nothing is guessed from the digits."""
    length = len(number.replace("-", ""))
    if kind == "PERSON":
        type_ = DocumentType.RESIDENT_ID_15 if length == _OLD_CARD_CHARS else DocumentType.RESIDENT_ID
    else:
        short = length == _ORGANISATION_CODE_CHARS
        type_ = DocumentType.ORGANISATION_CODE if short else DocumentType.UNIFIED_SOCIAL_CREDIT_CODE
    return {"type": type_.name, "number": number}


def _ground(row: Mapping[str, str]) -> int:
    stated, words = row.get("ground", ""), row.get("disruptTypeName", "")
    if stated:
        if stated not in {"1", "2", "3", "4", "5", "6"}:
            refuse("ground", "OUT_OF_RANGE", "give 1 to 6")
        return int(stated)
    if not words:
        return _OPEN_TERM_GROUND
    ground = next((ground for word, ground in _GROUND_WORDS.items() if word in words), None)
    if ground is None:
        refuse("disruptTypeName", "UNKNOWN", "use the court rules' words, or a column `ground` with 1 to 6")
    return ground


def _until(row: Mapping[str, str], ground: int, published: str) -> str | None:
    if row.get("term_until"):
        return _date(row, "term_until")
    if ground == _OPEN_TERM_GROUND:
        return None
    start = day_from_date(_Date.fromisoformat(published))
    return date_from_day(months_after(start, _TERM_MONTHS)).isoformat()


def _date(row: Mapping[str, str], column: str) -> str:
    """A date as `YYYY-MM-DD` or `YYYY年MM月DD日`, in the former form."""
    match = _DATE.fullmatch(row[column])
    try:
        return _Date(*map(int, match.groups())).isoformat() if match else _malformed(column)
    except ValueError:
        _malformed(column)


def _malformed(column: str) -> NoReturn:
    refuse(column, "MALFORMED", "give a date as YYYY-MM-DD or YYYY年MM月DD日")
