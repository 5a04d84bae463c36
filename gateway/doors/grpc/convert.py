"""Between messages and values: what a unit sends becomes a `Question`, an `Answer` becomes what it receives.

Rules that hold here:
- Whatever is missing, unknown or impossible raises InvalidFieldError with its dotted path; no message, hint or repr
  echoes a value.
- Enum numbers of the wire and of the domain are equal, so a table look-up converts them.
- A NOT_RESTRICTED answer has neither basis, texts, notice nor alternatives, so that never listed, lifted and exempt are
  the same bytes but for ids, version and time.

It does not judge documents, names or sales: their own rooms do.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from gateway.access import Unit
from gateway.question import Question
from lintel.v1.restriction_pb2 import BatchCheckRequest, CheckRequest
from restriction.calendar import day_from_date
from restriction.errors import InvalidFieldError
from restriction.fields import fen_from_money
from restriction.identity import Document, DocumentType
from restriction.measures import REGISTER, permit_measure
from restriction.products import PRODUCTS, Product, fields_of
from restriction.wording import Language

MAX_CHECK_BYTES: Final = 64 * 1_024
MAX_CHECKS: Final = 1_000
MAX_BOOKING_CHARS: Final = 64
_LANGUAGES: Final = {"": Language.ZH_CN, "zh-CN": Language.ZH_CN, "en": Language.EN}
_NANOS: Final = 1_000_000_000
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# A resident number, its separators removed: area, a plausible birth date, sequence and check character; or the 15
# digits of the old card alone.
_DAY: Final = r"(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_LOOKS_LIKE_A_NUMBER: Final = re.compile(rf"\d{{6}}(19|20)\d{{2}}{_DAY}\d{{3}}[\dXx]|^\d{{8}}{_DAY}\d{{3}}$")
_SHORTEST_NUMBER: Final = 15
_SEPARATORS: Final = re.compile(r"[\W_]+")
_TYPES: Final = {member.value: member for member in DocumentType}

M = TypeVar("M", bound=Message)


def parse(kind: type[M], raw: bytes) -> M:
    """The message in these bytes. Raises: InvalidFieldError."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise InvalidFieldError("request", "MALFORMED", "send a message of the published schema") from None


def read_check(raw: bytes, unit: Unit) -> Question:
    """The question in the bytes of a CheckRequest. Raises: InvalidFieldError, PurposeNotAllowedError."""
    if len(raw) > MAX_CHECK_BYTES:
        raise InvalidFieldError("request", "TOO_LONG", f"send at most {MAX_CHECK_BYTES} bytes a check")
    return read_question(parse(CheckRequest, raw), unit)


def read_batch(raw: bytes) -> BatchCheckRequest:
    """The questions in the bytes of a BatchCheckRequest, each still to be read. Raises: InvalidFieldError."""
    batch = parse(BatchCheckRequest, raw)
    if not batch.checks:
        raise InvalidFieldError("checks", "MISSING", "send at least one check")
    if len(batch.checks) > MAX_CHECKS:
        raise InvalidFieldError("checks", "TOO_LONG", f"send at most {MAX_CHECKS} checks")
    return batch


def read_question(request: CheckRequest, unit: Unit) -> Question:
    """The question of one request, refused first for what the unit may not ask at all.

    Raises: InvalidFieldError, PurposeNotAllowedError.
    """
    name = request.WhichOneof("product")
    if name is None:
        raise InvalidFieldError("product", "MISSING", "send one of " + ", ".join(PRODUCTS))
    measure = PRODUCTS[name].measure
    permit_measure(unit.sector, measure)
    if not _UUID.fullmatch(request.request_id):
        raise _unfit("request_id", request.request_id, "MALFORMED", "send a UUID such as 8-4-4-4-12 hex digits")
    return Question(
        request_id=request.request_id,
        document=_document(request),
        name=request.name,
        product=_product(name, getattr(request, name)),
        service_day=_service_day(request) if REGISTER[measure].service_date_required else None,
        booking_reference=_booking_reference(request.booking_reference, request.document.number),
        at_least_version=request.at_least_version,
        max_list_age_s=_max_list_age_s(request),
        language=_language(request.language_code),
    )


def _unfit(field: str, sent: object, problem: str, hint: str) -> InvalidFieldError:
    return InvalidFieldError(field, problem if sent else "MISSING", hint)


def _document(request: CheckRequest) -> Document:
    sent = request.document
    kind = _TYPES.get(sent.type)
    if kind is None:
        raise _unfit("document.type", sent.type, "UNKNOWN", "state one of the document types")
    return Document(kind, sent.number, sent.issuing_country)


def _booking_reference(sent: str, document_number: str) -> str:
    if not sent or len(sent) > MAX_BOOKING_CHARS or not sent.isprintable():
        raise _unfit("booking_reference", sent, "MALFORMED", f"send 1 to {MAX_BOOKING_CHARS} printable characters")
    bare = sent if sent.isalnum() else _SEPARATORS.sub("", sent)
    if (document_number and document_number in bare) or (
        len(bare) >= _SHORTEST_NUMBER and _LOOKS_LIKE_A_NUMBER.search(bare)
    ):
        raise InvalidFieldError("booking_reference", "LOOKS_LIKE_A_DOCUMENT", "send your own number of this sale")
    return sent


def _language(sent: str) -> Language:
    language = _LANGUAGES.get(sent)
    if language is None:
        raise InvalidFieldError("language_code", "UNKNOWN", "send en or zh-CN")
    return language


def _service_day(request: CheckRequest) -> int | None:
    return _day("service_date", request.service_date) if request.HasField("service_date") else None


def _day(field: str, sent: Date) -> int:
    try:
        return day_from_date(dt.date(sent.year, sent.month, sent.day))
    except ValueError:
        raise InvalidFieldError(field, "IMPOSSIBLE", "send a whole date that exists: year, month and day") from None


def _max_list_age_s(request: CheckRequest) -> float | None:
    if not request.HasField("max_list_age"):
        return None
    sent = request.max_list_age
    if sent.seconds < 0 or not 0 <= sent.nanos < _NANOS:
        raise InvalidFieldError("max_list_age", "IMPOSSIBLE", "send a duration of zero or more")
    return sent.seconds + sent.nanos / _NANOS


Reader = Callable[[Any], object]  # a product message in, one attribute of the product out


def _product(name: str, message: Message) -> Product:
    kind, readers = _READERS[name]
    return kind(*[read(message) for read in readers])


def _enum_reader(field: str, members: Mapping[int, enum.IntEnum]) -> Reader:
    def read(message: Any) -> object:  # noqa: ANN401 - any product message: the field name is its schema's
        number = getattr(message, field)
        return members.get(number, number)

    return read


def _money_reader(path: str, field: str) -> Reader:
    def read(message: Any) -> object:  # noqa: ANN401 - as above
        if not message.HasField(field):
            return None
        money: Money = getattr(message, field)
        return fen_from_money(path, money.currency_code, money.units, money.nanos)

    return read


def _optional_reader(field: str) -> Reader:
    def read(message: Any) -> object:  # noqa: ANN401 - as above
        return getattr(message, field) if message.HasField(field) else None

    return read


def _reader(product: str, field: str, attribute: str, hint: object) -> Reader:
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        return _enum_reader(field, {member.value: member for member in hint})
    if attribute.endswith("_fen"):
        return _money_reader(f"{product}.{field}", field)
    return _optional_reader(field)


_READERS: Final[Mapping[str, tuple[type[Product], list[Reader]]]] = {
    name: (kind, [_reader(name, field, attribute, hint) for field, (attribute, hint) in fields_of(kind).items()])
    for name, kind in PRODUCTS.items()
}
