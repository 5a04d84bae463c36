"""Products from loose fields, for tests that hold names and numbers rather than typed values.

Nothing is dropped silently: an unknown product or field is refused by name.
Whether the values are whole and possible is for the product's own construction to say.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from restriction.errors import InvalidFieldError
from restriction.products import PRODUCTS, Product, fields_of

_FIELDS: Final = {kind: fields_of(kind) for kind in PRODUCTS.values()}


def read_product(name: str, sent: Mapping[str, object]) -> Product:
    """The product of this wire name: enum members by number or name, money in fen, None for unsent.

    Raises: InvalidFieldError.
    """
    kind = PRODUCTS.get(name)
    if kind is None:
        raise InvalidFieldError("product", "UNKNOWN", "send one of " + ", ".join(PRODUCTS))
    known = _FIELDS[kind]
    for field in sorted(sent.keys() - known.keys()):
        raise InvalidFieldError(f"{name}.{field}", "UNKNOWN", "send only " + ", ".join(known))
    return kind(**{attribute: _typed(hint, sent.get(field)) for field, (attribute, hint) in known.items()})


def _typed(hint: object, sent: object) -> object:
    """The enum member that a number or name means; anything else as it came, for construction to judge."""
    if not (isinstance(hint, type) and issubclass(hint, enum.IntEnum)):
        return sent
    if isinstance(sent, str):
        return hint.__members__.get(sent, sent)
    try:
        return hint(sent) if type(sent) is int else sent
    except ValueError:
        return sent
