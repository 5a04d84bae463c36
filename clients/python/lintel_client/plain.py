"""Products from plain words, as a form, a CSV row or a command line has them.

An enum value is its name, an amount is whole fen, a flag is `true` or `false`.
What the words cannot mean is refused here by name; whether the sale is possible is the gateway's to say.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping
from typing import Final

from lintel_client import products
from lintel_client.products import Product

Word = str | int | bool
_FLAGS: Final = {"true": True, "false": False}
PRODUCTS: Final[Mapping[str, type]] = {
    "rail": products.Rail,
    "air": products.Air,
    "lodging": products.Lodging,
    "venue": products.Venue,
    "outbound_tour": products.OutboundTour,
    "resort": products.Resort,
    "tuition": products.Tuition,
    "insurance": products.Insurance,
    "construction": products.Construction,
    "vehicle": products.Vehicle,
    "property": products.Property,
    "resource_development": products.ResourceDevelopment,
    "state_equity": products.StateEquity,
}


def product_of(name: str, words: Mapping[str, Word]) -> Product:
    """The product of this name with these fields. Raises: ValueError naming the field and what it may be."""
    if name not in PRODUCTS:
        raise ValueError(f"product: one of {', '.join(PRODUCTS)}")
    kinds: Mapping[str, type] = typing.get_type_hints(PRODUCTS[name])
    for problem, fields in (("no such field", words.keys() - kinds.keys()), ("missing", kinds.keys() - words.keys())):
        if fields:
            raise ValueError(f"{name}: {', '.join(sorted(fields))}: {problem}; its fields are {', '.join(kinds)}")
    return typing.cast(
        "Product", PRODUCTS[name](**{field: _value(field, kinds[field], words[field]) for field in kinds})
    )


def _value(field: str, kind: type, word: Word) -> object:
    text = str(word).strip()
    if issubclass(kind, enum.IntEnum):
        return _one_of(field, kind.__members__, text)
    if kind is bool:
        return _one_of(field, _FLAGS, text.lower())
    if kind is int:
        if not text.isdecimal():
            raise ValueError(f"{field}: a whole number of at least 0")
        return int(text)
    return text


def _one_of(field: str, values: Mapping[str, object], text: str) -> object:
    if text not in values:
        raise ValueError(f"{field}: one of {', '.join(values)}")
    return values[text]
