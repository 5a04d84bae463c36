"""Plain words for what is sold: how a product is called in a text, and what is sold freely in its place.

Rules that hold here:
- Everything follows from the product alone, so that no text says anything about whoever asked.
- Every entry is a pair, (zh-CN, en); neither language says more than the other.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from restriction.products import (
    FlightKind,
    Measure,
    Product,
    PropertyAct,
    Rail,
    SaleKind,
    SeatClass,
    TourService,
    TrainFamily,
    Work,
)


class Language(enum.StrEnum):
    """The languages of every text, named as BCP 47 has them."""

    ZH_CN = "zh-CN"
    EN = "en"


Pair = tuple[str, str]

_SEATS: Final[Mapping[SeatClass, Pair]] = MappingProxyType(
    {
        SeatClass.BUSINESS: ("商务座", "business class"),
        SeatClass.PREMIUM: ("特等座", "premium class"),
        SeatClass.PREMIUM_FIRST: ("优选一等座", "premium first class"),
        SeatClass.FIRST: ("一等座", "first class"),
        SeatClass.SECOND_COMPARTMENT: ("二等包座", "second class in a compartment"),
        SeatClass.SECOND: ("二等座", "second class"),
        SeatClass.STANDING: ("无座", "standing"),
        SeatClass.FIRST_BERTH: ("一等卧", "first-class berth"),
        SeatClass.SECOND_BERTH: ("二等卧", "second-class berth"),
        SeatClass.EMU_SOFT_BERTH: ("动卧", "EMU soft berth"),
        SeatClass.EMU_DELUXE_SOFT_BERTH: ("高级动卧", "EMU deluxe soft berth"),
        SeatClass.DELUXE_SOFT_SLEEPER: ("高级软卧", "deluxe soft sleeper"),
        SeatClass.SOFT_SLEEPER: ("软卧", "soft sleeper"),
        SeatClass.HARD_SLEEPER: ("硬卧", "hard sleeper"),
        SeatClass.SOFT_SEAT: ("软座", "soft seat"),
        SeatClass.HARD_SEAT: ("硬座", "hard seat"),
    }
)
_TRAINS: Final[Mapping[TrainFamily, Pair]] = MappingProxyType(
    {
        TrainFamily.G: ("G字头列车", "a G train"),
        TrainFamily.OTHER_EMU: ("动车组列车", "an EMU train"),
        TrainFamily.CONVENTIONAL: ("普通列车", "a conventional train"),
        TrainFamily.UNKNOWN: ("列车", "a train"),
    }
)
_FLIGHTS: Final[Mapping[FlightKind, Pair]] = MappingProxyType(
    {
        FlightKind.SCHEDULED: ("民航机票", "Air travel"),
        FlightKind.CHARTER: ("包机", "A charter flight"),
        FlightKind.SIGHTSEEING: ("空中游览", "A sightseeing flight"),
        FlightKind.MEDICAL_TRANSFER: ("医疗转运飞行", "A medical transfer flight"),
    }
)
_VENUE_SALES: Final[Mapping[SaleKind, Pair]] = MappingProxyType(
    {
        SaleKind.MEMBERSHIP: ("会员资格", "A membership"),
        SaleKind.PACKAGE: ("消费套餐", "A package"),
        SaleKind.BANQUET_CONTRACT: ("宴会合同", "A banquet contract"),
        SaleKind.GREEN_FEE: ("果岭费", "A green fee"),
        SaleKind.CLUB_ENTRY: ("俱乐部入场", "Entry to a club"),
        SaleKind.WALK_IN: ("现场消费", "A walk-in sale"),
    }
)
_TOUR_SERVICES: Final[Mapping[TourService, Pair]] = MappingProxyType(
    {
        TourService.GROUP_TOUR: ("团队出境旅游", "An outbound group tour"),
        TourService.FREE_TRAVEL_PACKAGE: ("出境自由行套餐", "An outbound travel package"),
        TourService.VISA: ("出境旅游签证代办", "A visa service for an outbound tour"),
        TourService.TRAVEL_INSURANCE: ("出境旅游保险", "Travel insurance for an outbound tour"),
        TourService.GUIDE: ("出境旅游导游服务", "A guide for an outbound tour"),
        TourService.OTHER_RELATED: ("出境旅游相关服务", "A service related to an outbound tour"),
        TourService.TICKET_ONLY: ("单订票务", "Tickets only"),
        TourService.COACH_HIRE: ("租用大巴", "Coach hire"),
        TourService.INBOUND_RECEPTION: ("入境接待", "Inbound reception"),
    }
)
_WORKS: Final[Mapping[Work, Pair]] = MappingProxyType(
    {
        Work.NEW_BUILD: ("新建房屋", "Building a house"),
        Work.EXTENSION: ("扩建房屋", "Extending a house"),
        Work.DECORATION: ("高档装修房屋", "High-grade decoration of a house"),
        Work.REPAIR: ("房屋修缮", "Repair of a house"),
        Work.ACCESSIBILITY: ("无障碍改造", "Accessibility work on a house"),
    }
)


def _rail(product: Rail) -> Pair:
    (train_zh, train_en), (seat_zh, seat_en) = _TRAINS[product.family], _SEATS[product.seat_class]
    return f"{train_zh}{seat_zh}", f"{seat_en[:1].upper()}{seat_en[1:]} on {train_en}"


_ITEMS: Final[Mapping[Measure, Callable[[Any], Pair]]] = MappingProxyType(
    {
        Measure.RAIL: _rail,
        Measure.AIR: lambda product: _FLIGHTS[product.flight_kind],
        Measure.LODGE: lambda _: ("本店住宿", "Lodging at this establishment"),
        Measure.VENUE: lambda product: _VENUE_SALES[product.sale_kind],
        Measure.TOUR_OUT: lambda product: _TOUR_SERVICES[product.service],
        Measure.RESORT_CAP: lambda _: ("本次旅游消费", "Spending at this resort"),
        Measure.EDU: lambda _: ("本次学费付款", "This payment of tuition"),
        Measure.INS: lambda _: ("本保险产品", "This insurance policy"),
        Measure.BUILD: lambda product: _WORKS[product.work],
        Measure.VEHICLE: lambda _: ("本次车辆业务", "This vehicle transaction"),
        Measure.PROP_ACQ: lambda product: (
            ("取得土地使用权", "Acquiring this land-use right")
            if product.property_act is PropertyAct.LAND_USE_RIGHT
            else ("本次不动产业务", "This real property transaction")
        ),
        Measure.PROP_DEV: lambda _: ("土地、矿产开发利用", "Development of land or minerals"),
        Measure.STATE_EQ: lambda _: ("国有产权交易", "This trade in state property rights"),
    }
)

_UNRATED_LODGING: Final = ("未评星级的旅馆", "an unrated hotel or guest house")
_D_SECOND: Final = ("D字头列车二等座", "second class on a D train")
_HARD_SLEEPER: Final = ("普通列车硬卧或硬座", "hard sleeper or hard seat on a conventional train")
_ALTERNATIVES: Final[Mapping[Measure, tuple[Pair, ...]]] = MappingProxyType(
    {
        Measure.AIR: (_D_SECOND, _HARD_SLEEPER),
        Measure.LODGE: (_UNRATED_LODGING,),
        Measure.VENUE: (),
        Measure.TOUR_OUT: (("国内团队旅游", "a domestic group tour"),),
        Measure.RESORT_CAP: (("较小金额的消费", "a smaller purchase"),),
        Measure.EDU: (("由他人以其自有资金付款", "payment by another person from that person's own funds"),),
        Measure.INS: (("无现金价值的保险", "insurance without cash value"),),
        Measure.BUILD: (("房屋修缮、无障碍改造", "repair or accessibility work"),),
        Measure.VEHICLE: (("租用车辆", "rental of a vehicle"),),
        Measure.PROP_ACQ: (("租赁", "a lease"),),
        Measure.PROP_DEV: (),
        Measure.STATE_EQ: (),
    }
)
_RAIL_ALTERNATIVES: Final[Mapping[TrainFamily, tuple[Pair, ...]]] = MappingProxyType(
    {
        TrainFamily.G: (_D_SECOND, _HARD_SLEEPER),
        TrainFamily.OTHER_EMU: (("本次列车二等座", "second class on the same train"),),
        TrainFamily.CONVENTIONAL: (("本次列车硬卧或硬座", "hard sleeper or hard seat on the same train"),),
        TrainFamily.UNKNOWN: (_D_SECOND, _HARD_SLEEPER),
    }
)


def item(product: Product, language: Language) -> str:
    """What a text calls this product, with the capital letter that begins a sentence."""
    return _in(language, _ITEMS[product.measure](product))


def alternatives(product: Product, language: Language) -> tuple[str, ...]:
    """What is sold freely in place of this product; the same for everybody."""
    pairs = _RAIL_ALTERNATIVES[product.family] if isinstance(product, Rail) else _ALTERNATIVES[product.measure]
    return tuple(_in(language, pair) for pair in pairs)


def _in(language: Language, pair: Pair) -> str:
    zh, en = pair
    return zh if language is Language.ZH_CN else en
