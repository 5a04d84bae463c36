"""The people and units of a sample list, each a pure function of seed and index.

Nothing is remembered: subject 7,000,000 can be made without making those before, so a list of ten million and questions
about it need no memory.
Names are common ones and stand beside documents that nobody holds; whoever they seem to name is nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from sandbox import documents
from sandbox.documents import Paper

T = TypeVar("T")
SURNAMES: Final = tuple(
    "李王张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁"
)
GIVEN: Final = tuple("伟芳秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂华建国文辉玲梅红波斌宇浩凯雪飞鑫龙志海燕春云")
LATIN: Final = ("ANNA KELLER", "JOHN MERCER", "LI NA TAN", "MARIO ROSSI", "SOFIA IVANOVA", "TOMAS NOVAK")
DOTTED: Final = ("买买提·艾力", "阿依古丽·吐尔逊", "多吉·才让", "巴特尔·苏和")
PLACES: Final = ("湛江", "赤坎", "霞山", "廉江", "雷州", "吴川", "遂溪", "徐闻", "麻章", "坡头")
WORDS: Final = ("海润", "金盛", "南港", "宏业", "粤西", "恒通", "蓝湾", "东成", "永泰", "新源")
TRADES: Final = ("水产", "建材", "贸易", "置业", "物流", "餐饮", "电器", "农业", "旅游", "机械")
ROLES: Final = ("LEGAL_REPRESENTATIVE", "PRINCIPAL", "ACTUAL_CONTROLLER", "RESPONSIBLE_PERSON")
# Linked people and strangers take their numbers from parts of the space that no subject's index reaches.
LINKED_FROM: Final = 10**9
STRANGERS_FROM: Final = 2 * 10**9
MAX_LINKS: Final = 4
_SHARES: Final = 1000
_UNITS: Final = 150
# Upper bounds among persons, in order; the rest holds documents that carry no birth date.
_RESIDENTS, _OLD_CARDS, _PASSPORTS, _RESIDENCE_PERMITS = 950, 970, 980, 985
_WITHOUT_BIRTH_DATE: Final = (documents.home_return_permit, documents.taiwan_permit, documents.permanent_resident)
_BIRTH_DATE: Final = "1980-06-15"  # decides nothing but that the holder is of age


class Dice:
    """A fixed run of choices for one seed and index: 192 bits, so some thirty of them."""

    __slots__ = ("_left",)

    def __init__(self, seed: int, purpose: str, index: int) -> None:
        digest = hashlib.blake2b(f"{seed} {purpose} {index}".encode(), digest_size=24).digest()
        self._left = int.from_bytes(digest, "little")

    def below(self, sides: int) -> int:
        """A whole number from 0 to below `sides`."""
        self._left, face = divmod(self._left, sides)
        return face

    def pick(self, choices: Sequence[T]) -> T:
        """One of these."""
        self._left, face = divmod(self._left, len(choices))
        return choices[face]


@dataclass(frozen=True, slots=True)
class Linked:
    """A person whom the court linked to a unit."""

    link_id: str
    role: str
    name: str = field(repr=False)
    paper: Paper


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a sample entry is about. `kind` is PERSON or UNIT; only units have links.

    `birth_date` is stated (ISO 8601) where a person's documents carry none.
    """

    kind: str
    name: str = field(repr=False)
    former_names: tuple[str, ...] = field(repr=False)
    papers: tuple[Paper, ...]
    links: tuple[Linked, ...] = ()
    birth_date: str = ""


def subject(seed: int, index: int) -> Subject:
    """The subject of this index: 85 % persons, 15 % units."""
    dice = Dice(seed, "subject", index)
    return _unit(dice, index) if dice.below(_SHARES) < _UNITS else _person(dice, index)


def stranger(seed: int, index: int) -> Subject:
    """A person who is on no list."""
    dice = Dice(seed, "stranger", index)
    return Subject("PERSON", _chinese_name(dice), (), (documents.resident(STRANGERS_FROM + index),))


def _person(dice: Dice, index: int) -> Subject:
    share = dice.below(_SHARES)
    if share < _RESIDENTS:
        former = (_chinese_name(dice),) if dice.below(50) == 0 else ()
        name = dice.pick(DOTTED) if dice.below(100) == 0 else _chinese_name(dice)
        second = (documents.passport(index),) if dice.below(25) == 0 else ()
        return Subject("PERSON", name, former, (documents.resident(index), *second))
    if share < _OLD_CARDS:
        return Subject("PERSON", _chinese_name(dice), (), (documents.resident_15(index),))
    if share < _PASSPORTS:
        return Subject("PERSON", dice.pick(LATIN), (), (documents.passport(index),), (), _BIRTH_DATE)
    if share < _RESIDENCE_PERMITS:
        return Subject("PERSON", _chinese_name(dice), (), (documents.residence_permit(index),))
    paper = dice.pick(_WITHOUT_BIRTH_DATE)(index)
    return Subject("PERSON", _chinese_name(dice), (), (paper,), (), _BIRTH_DATE)


def _unit(dice: Dice, index: int) -> Subject:
    paper = documents.organisation(index) if dice.below(20) == 0 else documents.credit_code(index)
    links = tuple(_linked(dice, index, place) for place in range(1 + dice.below(3)))
    return Subject("UNIT", _unit_name(dice), (_unit_name(dice),) if dice.below(30) == 0 else (), (paper,), links)


def _linked(dice: Dice, index: int, place: int) -> Linked:
    paper = documents.resident(LINKED_FROM + MAX_LINKS * index + place)
    return Linked(f"l{place + 1}", ROLES[place], _chinese_name(dice), paper)


def _chinese_name(dice: Dice) -> str:
    last = dice.pick(GIVEN) if dice.below(6) else ""
    return dice.pick(SURNAMES) + dice.pick(GIVEN) + last


def _unit_name(dice: Dice) -> str:
    return f"{dice.pick(PLACES)}{dice.pick(WORDS)}{dice.pick(SURNAMES)}氏{dice.pick(TRADES)}有限公司"
