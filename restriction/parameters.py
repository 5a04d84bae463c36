"""The parameters: what the plan leaves to be settled locally, as one signed document with an authority per value.

Rules that hold here:
- A value that was not settled is unset (None or empty). It never gets an invented value: only `HMT_IS_OUTBOUND` and
  `G_STANDING` have a default by the rules, and `FRESHNESS_LIMITS` by the design of the service.
- A document with an unknown name, a key written twice or an impossible value is refused whole, by name.
- One document has one canonical byte form, which is what is signed; amounts are yuan outside and fen inside.

The document is `{version, date, authority, values: {NAME: value}}` in YAML or JSON. Instead of a bare value,
`{value: …, authority: …}` names the authority of that value alone; a bare one stands under the document's.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

import yaml

from restriction.errors import SettingError
from restriction.fields import MAX_FEN, MAX_STARS, is_list_key, same_place
from restriction.products import RatingStatus, SeatClass, rating_is_possible

_FEN_PER_YUAN: Final = 100
_COURT_CODES: Final = range(1, 1 << 32)  # the record keeps a court in 32 bits
_DOCUMENT_KEYS: Final = frozenset({"version", "date", "authority", "values"})
_WRAPPER_KEYS: Final = frozenset({"value", "authority"})
# A limit outside this range is a slip of units, not a policy: see docs/adr/0005-freshness-limits.md.
FRESHNESS_LIMITS_S: Final = range(60, 7 * 86_400 + 1)

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)


class LodgingGrade(enum.Enum):
    """Why a lodging without stars counts as high consumption."""

    NATIONAL_GRADE_ONE = "NATIONAL_GRADE_ONE"
    OTHER_HIGH_CONSUMPTION = "OTHER_HIGH_CONSUMPTION"


class ResortKind(enum.Enum):
    """What kind of tourism business the spending cap covers."""

    GRADED_RESORT = "GRADED_RESORT"
    TOURISM_FIRM = "TOURISM_FIRM"


class Standing(enum.Enum):
    """Whether a standing ticket on a G train counts as a seat."""

    RESTRICTED = "RESTRICTED"
    NOT_RESTRICTED = "NOT_RESTRICTED"


class CourtLevel(enum.Enum):
    """Levels of the courts, lowest first."""

    BASIC = "BASIC"
    INTERMEDIATE = "INTERMEDIATE"
    HIGH = "HIGH"
    SUPREME = "SUPREME"


@dataclass(frozen=True, slots=True)
class Rating:
    """What the star register says of one establishment."""

    stars: int
    status: RatingStatus


@dataclass(frozen=True, slots=True)
class InsuranceMin:
    """From which premium a policy is high-premium, by mode, in fen; None is unset."""

    annual_fen: int | None = None
    single_fen: int | None = None


@dataclass(frozen=True, slots=True)
class FreshnessLimits:
    """How old a list may be, in seconds, before nobody is answered from it: registries, and everybody else."""

    default_s: int = 86_400
    registry_s: int = 3_600


@dataclass(frozen=True, slots=True)
class Court:
    """One court of the signed directory. `city`: of the city, so that the plan's time limits (四(二)3, 4) bind it."""

    code: int
    name_zh: str
    name_en: str
    contact: str
    level: CourtLevel
    city: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters in force. Raises (when parsed): SettingError."""

    version: int = 0
    date: dt.date = dt.date.min
    authority: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)  # who settled each value that a document names
    star_register: Mapping[str, Rating] | None = None
    lodge_list: Mapping[str, LodgingGrade] | None = None
    venue_list: frozenset[str] | None = None
    venue_min_fen: int | None = None
    resort_list: Mapping[str, ResortKind] | None = None
    resort_cap_fen: int | None = None
    edu_list: frozenset[str] | None = None
    ins_min: InsuranceMin | None = None
    decor_min_fen: int | None = None
    rail_class_map: Mapping[SeatClass, SeatClass] | None = None
    hmt_is_outbound: bool = True
    g_standing: Standing = Standing.RESTRICTED
    courts: Mapping[int, Court] = field(default_factory=dict)
    freshness_limits: FreshnessLimits = FreshnessLimits()

    @classmethod
    def parse(cls, document: str | bytes | Mapping[str, object]) -> Parameters:
        """The parameters of a YAML or JSON document, or of its mapping. Raises: SettingError."""
        top = _mapping("parameters", document if isinstance(document, Mapping) else _load(document))
        _only("parameters", top, _DOCUMENT_KEYS)
        values = _mapping("values", top.get("values"))
        _only("values", values, VALUES.keys())
        authority = _text("authority", top.get("authority"))
        settled = {
            name: sent if _is_wrapped(sent) else {"value": sent, "authority": authority}
            for name, sent in values.items()
        }
        return cls(
            version=_count("version", top.get("version")),
            date=_date(top.get("date")),
            authority=authority,
            authorities=MappingProxyType(
                {name: _text(f"{name}.authority", one["authority"]) for name, one in settled.items()}
            ),
            **{VALUES[name].attribute: VALUES[name].read(name, one["value"]) for name, one in settled.items()},
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Parameters:
        """The parameters of `to_bytes`. Raises: SettingError, when these are not exactly such bytes."""
        parameters = cls.parse(_load_json(raw))
        if parameters.to_bytes() != raw:
            _refuse("parameters", "not in canonical form; sign what `lintel publisher parameters` writes")
        return parameters

    def to_bytes(self) -> bytes:
        """The canonical JSON: what is set, every value with its authority, keys in order, UTF-8."""
        unset = self.unset
        values = {
            name: {"value": value.write(getattr(self, value.attribute)), "authority": self.authority_of(name)}
            for name, value in VALUES.items()
            if name not in unset
        }
        top = {
            "version": self.version,
            "date": self.date.isoformat(),
            "authority": self.authority,
            "values": values,
        }
        return json.dumps(top, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    def authority_of(self, name: str) -> str:
        """Who settled the value of this name: its own authority, or else the document's."""
        return self.authorities.get(name, self.authority)

    @property
    def unset(self) -> frozenset[str]:
        """Names of the values that nobody settled, those with a default too, so that the operator can be told."""
        nobody = Parameters()
        return frozenset(
            name
            for name, value in VALUES.items()
            if name not in self.authorities and getattr(self, value.attribute) == getattr(nobody, value.attribute)
        )


def _refuse(name: str, hint: str) -> NoReturn:
    raise SettingError(f"parameters: {name}: {hint}")


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key written twice is refused: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # PyYAML's own signature
        written = Counter(str(self.construct_object(key, deep=True)) for key, _ in node.value)
        for key, times in written.items():
            if times > 1:
                _refuse(key, "written twice; keep one")
        return super().construct_mapping(node, deep=deep)


def _load(text: str | bytes) -> object:
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise SettingError("parameters: neither YAML nor JSON; check the quotes and the indent") from error


def _load_json(raw: bytes) -> Mapping[str, object]:
    """For canonical bytes: a directory of thousands of courts takes YAML's reader seconds."""
    try:
        return _mapping("parameters", json.loads(raw))
    except ValueError as error:
        raise SettingError("parameters: not JSON; sign what `lintel publisher parameters` writes") from error


def _is_wrapped(sent: object) -> bool:
    return isinstance(sent, Mapping) and sent.keys() == _WRAPPER_KEYS


def _mapping(name: str, sent: object) -> Mapping[str, Any]:
    if not isinstance(sent, Mapping):
        _refuse(name, "write a mapping")
    return sent


def _only(name: str, sent: Mapping[str, object], known: Container[str]) -> None:
    for key in sent:
        if key not in known:
            _refuse(f"{name}.{key}", "unknown name")


def _text(name: str, sent: object) -> str:
    if not (isinstance(sent, str) and sent.strip() and sent.isprintable()):
        _refuse(name, "write a text of one line")
    return sent


def _count(name: str, sent: object) -> int:
    if type(sent) is not int or sent < 1:
        _refuse(name, "write a whole number from 1")
    return sent


def _date(sent: object) -> dt.date:
    try:
        return sent if type(sent) is dt.date else dt.date.fromisoformat(str(sent))
    except ValueError:
        _refuse("date", "write YYYY-MM-DD")


def _flag(name: str, sent: object) -> bool:
    if type(sent) is not bool:
        _refuse(name, "write true or false")
    return sent


def _word(kind: type[E]) -> Callable[[str, object], E]:
    def read(name: str, sent: object) -> E:
        if not (isinstance(sent, str) and sent.upper() in kind.__members__):
            _refuse(name, "write one of " + ", ".join(kind.__members__))
        return kind[sent.upper()]

    return read


def _fen(name: str, sent: object) -> int:
    """Fen of an amount in yuan: a number, or a text where the cents must be exact."""
    try:
        fen = decimal.Decimal("x" if isinstance(sent, bool) else str(sent)) * _FEN_PER_YUAN
    except decimal.InvalidOperation:
        _refuse(name, "write an amount in yuan, such as 1000 or 1000.50")
    if not fen.is_finite() or not 0 <= fen <= MAX_FEN or fen != fen.to_integral_value():
        _refuse(name, "write an amount in yuan of zero or more, with at most two decimals")
    return int(fen)


def _yuan(fen: int) -> str:
    return f"{fen // _FEN_PER_YUAN}.{fen % _FEN_PER_YUAN:02d}"


def _key(name: str, sent: object) -> str:
    if not isinstance(sent, str):
        _refuse(name, "put the key in quotes, so that it stays as written")
    if not is_list_key(sent):
        _refuse(name, "write a key of 1 to 64 printable characters without spaces, in NFKC form")
    return same_place(sent)


def _keyed(read: Callable[[str, object], T]) -> Callable[[str, object], Mapping[str, T]]:
    def read_each(name: str, sent: object) -> Mapping[str, T]:
        rows = _mapping(name, sent)
        keyed = {_key(name, key): read(f"{name}.{key}", row) for key, row in rows.items()}
        if len(keyed) != len(rows):
            _refuse(name, "two keys differ in capitals alone; keep one")
        return MappingProxyType(keyed)

    return read_each


def _keys(name: str, sent: object) -> frozenset[str]:
    if not isinstance(sent, list):
        _refuse(name, "write a list of keys")
    return frozenset(_key(name, key) for key in sent)


def _rating(name: str, sent: object) -> Rating:
    row = _mapping(name, sent)
    _only(name, row, {"stars", "status"})
    stars, status = row.get("stars"), _word(RatingStatus)(f"{name}.status", row.get("status"))
    if type(stars) is not int or not 0 <= stars <= MAX_STARS or not rating_is_possible(stars, status):
        _refuse(f"{name}.stars", "write 0 to 5 stars that agree with the status")
    return Rating(stars, status)


def _insurance_min(name: str, sent: object) -> InsuranceMin:
    row = _mapping(name, sent)
    _only(name, row, {"annual", "single"})
    return InsuranceMin(**{f"{mode}_fen": _fen(f"{name}.{mode}", amount) for mode, amount in row.items()})


def _insurance_min_as_sent(value: InsuranceMin) -> dict[str, str]:
    amounts = {"annual": value.annual_fen, "single": value.single_fen}
    return {mode: _yuan(fen) for mode, fen in amounts.items() if fen is not None}


def _rail_class_map(name: str, sent: object) -> Mapping[SeatClass, SeatClass]:
    """Second berths alone are open in the rules, and count either as first class or as second."""
    row = _mapping(name, sent)
    _only(name, row, {SeatClass.SECOND_BERTH.name})
    read = _word(SeatClass)
    counted = {read(name, berth): read(f"{name}.{berth}", seat) for berth, seat in row.items()}
    if not set(counted.values()) <= {SeatClass.FIRST, SeatClass.SECOND}:
        _refuse(name, "write FIRST or SECOND")
    return MappingProxyType(counted)


def _courts(name: str, sent: object) -> Mapping[int, Court]:
    courts = [_court(f"{name}.{code}", code, _mapping(name, row)) for code, row in _mapping(name, sent).items()]
    return MappingProxyType({court.code: court for court in courts})


def _court(name: str, code: object, row: Mapping[str, object]) -> Court:
    _only(name, row, {"name_zh", "name_en", "contact", "level", "city"})
    digits = str(code)
    if not (digits.isascii() and digits.isdigit() and int(digits) in _COURT_CODES):
        _refuse(name, "write the court's code as digits")
    return Court(
        code=int(digits),
        name_zh=_text(f"{name}.name_zh", row.get("name_zh")),
        name_en=_text(f"{name}.name_en", row.get("name_en")),
        contact=_text(f"{name}.contact", row.get("contact")),
        level=_word(CourtLevel)(f"{name}.level", row.get("level")),
        city=_flag(f"{name}.city", row.get("city")),
    )


def _freshness_limits(name: str, sent: object) -> FreshnessLimits:
    row = _mapping(name, sent)
    _only(name, row, {"default_s", "registry_s"})
    for key, limit_s in row.items():
        if type(limit_s) is not int or limit_s not in FRESHNESS_LIMITS_S:
            _refuse(f"{name}.{key}", "write whole seconds, from 60 to 604800")
    return FreshnessLimits(**row)


def _as_sent(value: object) -> object:
    """A value as its document has it: enums as words, sets as sorted lists, rows as mappings."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping):
        return {key.name if isinstance(key, enum.Enum) else str(key): _as_sent(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, (Rating, Court, FreshnessLimits)):
        return {name: _as_sent(getattr(value, name)) for name in value.__slots__ if name != "code"}
    return value


@dataclass(frozen=True, slots=True)
class Value:
    """One named value: where it is kept, how it is read from a document and written back."""

    attribute: str
    read: Callable[[str, object], Any]
    write: Callable[[Any], object] = _as_sent


VALUES: Final = MappingProxyType(
    {
        "STAR_REGISTER": Value("star_register", _keyed(_rating)),
        "LODGE_LIST": Value("lodge_list", _keyed(_word(LodgingGrade))),
        "VENUE_LIST": Value("venue_list", _keys),
        "VENUE_MIN": Value("venue_min_fen", _fen, _yuan),
        "RESORT_LIST": Value("resort_list", _keyed(_word(ResortKind))),
        "RESORT_CAP": Value("resort_cap_fen", _fen, _yuan),
        "EDU_LIST": Value("edu_list", _keys),
        "INS_MIN": Value("ins_min", _insurance_min, _insurance_min_as_sent),
        "DECOR_MIN": Value("decor_min_fen", _fen, _yuan),
        "RAIL_CLASS_MAP": Value("rail_class_map", _rail_class_map),
        "HMT_IS_OUTBOUND": Value("hmt_is_outbound", _flag),
        "G_STANDING": Value("g_standing", _word(Standing)),
        "COURTS": Value("courts", _courts),
        "FRESHNESS_LIMITS": Value("freshness_limits", _freshness_limits),
    }
)
