"""The texts that the guest and the desk see, in both languages.

Rules that hold here:
- The same text for everybody: what is filled in follows from the product, the parameters and the court alone.
- No debt, no case, no company, no role, no label; of the rules their document number, never their title.
- The guest's notice is for the guest alone; the desk learns only that the item cannot be sold and a reference.
- Both languages have the same placeholders, and so say the same.

It does not decide to whom a text is shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from restriction.calendar import date_from_day
from restriction.decision import Decision, Outcome
from restriction.parameters import Court, CourtLevel, Parameters
from restriction.products import Measure, Product
from restriction.wording import Language, alternatives, item

__all__ = [
    "BASIS",
    "DESK",
    "GUEST",
    "HELD",
    "TUITION",
    "Language",
    "Paper",
    "alternatives",
    "desk_text",
    "due_date",
    "guest_notice",
    "held_notice",
    "item",
    "reference_from",
]  # fmt: skip

BASIS: Final = "湛委办发电〔2019〕25号"
# Without 0 O, 1 I L, U (read as V), so that a reference survives a telephone.
_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_REFERENCE_LENGTH: Final = 6
_REFERENCE_BYTES: Final = 8  # twice what six characters hold, so that none is visibly likelier
_FEN_PER_YUAN: Final = 100
_FRIDAY: Final = 4

GUEST: Final = MappingProxyType(
    {
        Language.EN: """\
NOTICE {reference}, {date}
{item}{cap_clause} cannot be sold on this document now ({basis}). \
A court decided this, not this business. It concerns this item only, not your companions.
{addition}{courts}
- Not you? Ask for an identity check now.
- Performed, settled, enforcement ended? The court must remove it within {lift_time}; ask for a recheck.
- Needed for life or work; a unit officer's own money spent privately; post left: apply to the court.
- Serious illness, family funeral, official duty, foreign affairs, important exam: \
ask for temporary air and high-speed rail release, at most one month.
- Decision wrong? Ask the court to correct it{window}; review takes {review_time}; then the higher court. \
Inaccurate or outdated record: any time.
Who asked about you: {privacy_contact}. Free.""",
        Language.ZH_CN: """\
告知单 {reference}　{date}
凭本证件暂不能办理：{item}{cap_clause}（{basis}）。此系法院决定，非本单位决定；仅限本项，不涉及同行人。
{addition}{courts}
- 不是本人：请当场核对身份。
- 已履行、和解履行完毕或终结执行：法院应在{lift_time}内解除，可要求重新核查。
- 生活或工作必需、单位有关人员以个人财产因私消费、已离任：向法院申请。
- 本人或近亲属重病、近亲属丧葬、公务、外事、重要考试：可申请暂时解除飞机、高铁限制，最长一个月。
- 决定有误：{window}向法院申请纠正，法院{review_time}内审查；不服驳回，可向上一级法院申请复议。\
信息不准或应删除：随时申请。
查询记录：{privacy_contact}。免费。""",
    }
)
TUITION: Final = MappingProxyType(
    {
        Language.EN: "Only this payment is concerned; the pupil's place is not.\n",
        Language.ZH_CN: "仅涉及本次付款，不影响学生入学就读。\n",
    }
)
HELD: Final = MappingProxyType(
    {
        Language.EN: "{reference}: {item} needs a further check. This is no decision about you. "
        "{responsible_person} answers by {due}. You may show another document, explain why it is necessary, or ask for "
        "a recheck. Questions and complaints: {privacy_contact}.",
        Language.ZH_CN: "{reference}：{item}需进一步核查，并非对您作出决定。{responsible_person}将于{due}前答复。"
        "您可以出示其他证件、说明必要理由或要求重新核查。咨询投诉：{privacy_contact}。",
    }
)
DESK: Final = MappingProxyType(
    {
        Language.EN: "This item cannot be sold on this document now. Reference {reference}. "
        "Please hand the guest the notice.",
        Language.ZH_CN: "该项目暂不能凭此证件办理，编号 {reference}。请将告知单交客人本人。",
    }
)


@dataclass(frozen=True, slots=True)
class _Phrases:
    """What one language says about courts and caps; of each pair the first is for courts of the city (四(二)3, 4)."""

    cap_clause: str
    court_line: str
    unlisted_court: str
    lift_times: tuple[str, str]
    windows: tuple[str, str]
    review_times: tuple[str, str]
    of_courts: str
    between: str


_PHRASES: Final = MappingProxyType(
    {
        Language.EN: _Phrases(
            cap_clause=" above {cap} yuan",
            court_line="Court: {name}, {contact}",
            unlisted_court="court {code}",
            lift_times=("3 days", "3 working days"),
            windows=(" within 10 days of receiving the decision", ""),
            review_times=("3 days", "15 days"),
            of_courts="{value} ({names})",
            between=", ",
        ),
        Language.ZH_CN: _Phrases(
            cap_clause="超过{cap}元的部分",
            court_line="法院：{name}　{contact}",
            unlisted_court="法院代码{code}",
            lift_times=("3日", "3个工作日"),
            windows=("收到决定之日起10日内", ""),
            review_times=("3日", "15日"),
            of_courts="{value}（{names}）",
            between="、",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Paper:
    """What stands on every notice of one unit: its reference, its day, and the unit's data-protection contact."""

    reference: str
    date: dt.date
    privacy_contact: str


def guest_notice(product: Product, decision: Decision, parameters: Parameters, paper: Paper, language: Language) -> str:
    """The notice for the guest alone. Raises: ValueError, unless the decision is RESTRICTED or CAPPED."""
    if decision.outcome not in {Outcome.RESTRICTED, Outcome.CAPPED}:
        raise ValueError("notice: only RESTRICTED and CAPPED are given notice of")
    phrases = _PHRASES[language]
    courts = [_court(code, parameters, paper) for code in decision.courts]
    return GUEST[language].format(
        reference=paper.reference,
        date=paper.date.isoformat(),
        item=item(product, language),
        cap_clause="" if decision.cap_fen is None else phrases.cap_clause.format(cap=_yuan(decision.cap_fen)),
        basis=f"{BASIS} {'、'.join(decision.clauses)}",
        addition=TUITION[language] if product.measure is Measure.EDU else "",
        courts="\n".join(
            phrases.court_line.format(name=_name(court, language), contact=court.contact) for court in courts
        ),
        lift_time=_by_court(courts, phrases.lift_times, language),
        window=_by_court(courts, phrases.windows, language),
        review_time=_by_court(courts, phrases.review_times, language),
        privacy_contact=paper.privacy_contact,
    )


def held_notice(product: Product, paper: Paper, responsible_person: str, due: dt.date, language: Language) -> str:
    """The notice for UNDETERMINED with HOLD or MANUAL."""
    return HELD[language].format(
        reference=paper.reference,
        item=item(product, language),
        responsible_person=responsible_person,
        due=due.isoformat(),
        privacy_contact=paper.privacy_contact,
    )


def desk_text(reference: str, language: Language) -> str:
    """The one sentence for the desk's screen, the same for RESTRICTED and CAPPED."""
    return DESK[language].format(reference=reference)


def due_date(today: int) -> dt.date:
    """The next working day after this day (day number). Public holidays are not known here: they make it later."""
    date = date_from_day(today + 1)
    while date.weekday() > _FRIDAY:
        date += dt.timedelta(days=1)
    return date


def reference_from(raw: bytes) -> str:
    """A short reference such as 7K3M-9Q from at least 8 random or hashed bytes. Raises: ValueError."""
    if len(raw) < _REFERENCE_BYTES:
        raise ValueError(f"reference: needs {_REFERENCE_BYTES} bytes")
    number, characters = int.from_bytes(raw[:_REFERENCE_BYTES], "big"), ""
    for _ in range(_REFERENCE_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters += _ALPHABET[index]
    return f"{characters[:4]}-{characters[4:]}"


def _yuan(fen: int) -> str:
    yuan, cents = divmod(fen, _FEN_PER_YUAN)
    return f"{yuan}.{cents:02d}" if cents else str(yuan)


def _name(court: Court, language: Language) -> str:
    return court.name_zh if language is Language.ZH_CN else court.name_en


def _court(code: int, parameters: Parameters, paper: Paper) -> Court:
    """The court of the directory; one that is missing there is named by its code and reached through the unit."""
    return parameters.courts.get(code) or Court(
        code=code,
        name_zh=_PHRASES[Language.ZH_CN].unlisted_court.format(code=code),
        name_en=_PHRASES[Language.EN].unlisted_court.format(code=code),
        contact=paper.privacy_contact,
        level=CourtLevel.BASIC,
        city=False,
    )


def _by_court(courts: Iterable[Court], of_city_or_not: tuple[str, str], language: Language) -> str:
    """The value for these courts: once where they agree, else each that says something, with its court's name."""
    phrases, (in_city, elsewhere) = _PHRASES[language], of_city_or_not
    names_by_value: dict[str, list[str]] = {}
    for court in courts:
        names_by_value.setdefault(in_city if court.city else elsewhere, []).append(_name(court, language))
    if len(names_by_value) == 1:
        return next(iter(names_by_value))
    return phrases.between.join(
        phrases.of_courts.format(value=value, names=phrases.between.join(names))
        for value, names in names_by_value.items()
        if value
    )
