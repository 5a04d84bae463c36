"""The wire and the domain are written twice, by hand, and must say the same."""

from __future__ import annotations

import dataclasses
import enum
import re

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor

from gateway import effect
from lintel.feed.v1 import feed_pb2
from lintel.v1 import answer_pb2, court_pb2, document_pb2, product_pb2, restriction_pb2
from restriction import change, decision, identity, products

WIRE_ENUMS = [
    *answer_pb2.DESCRIPTOR.enum_types_by_name.values(),
    *court_pb2.DESCRIPTOR.enum_types_by_name.values(),
    *document_pb2.DESCRIPTOR.enum_types_by_name.values(),
    *product_pb2.DESCRIPTOR.enum_types_by_name.values(),
]
WIRE_PRODUCTS = [
    (field.number, field.message_type)
    for field in restriction_pb2.CheckRequest.DESCRIPTOR.oneofs_by_name["product"].fields
    if field.message_type
]
FEED_VALUES = [change.ListId, change.ListState, change.Delta, change.Change, change.Snapshot, change.Chunk]


def domain_enum(name: str) -> type[enum.IntEnum]:
    modules = (products, identity, decision, effect)
    found: set[type[enum.IntEnum]] = {getattr(module, name) for module in modules if hasattr(module, name)}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize("wire", WIRE_ENUMS, ids=lambda wire: wire.name)
def test_enum_has_the_domains_names_and_numbers_and_an_unspecified_zero(wire: EnumDescriptor) -> None:
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", wire.name).upper() + "_"
    expected = {prefix + member.name: member.value for member in domain_enum(wire.name)}
    assert {value.name: value.number for value in wire.values} == {f"{prefix}UNSPECIFIED": 0, **expected}


@pytest.mark.parametrize(("number", "wire"), WIRE_PRODUCTS)
def test_product_has_the_domains_fields_and_its_measures_number(number: int, wire: Descriptor) -> None:
    product = getattr(products, wire.name)
    fields = [field.name.removesuffix("_fen") for field in dataclasses.fields(product)]
    assert [field.name for field in wire.fields] == fields
    assert number == 20 + product.measure


@pytest.mark.parametrize(("number", "wire"), WIRE_PRODUCTS)
def test_every_field_of_a_product_tells_unsent_from_sent(number: int, wire: Descriptor) -> None:
    assert all(field.has_presence or field.enum_type for field in wire.fields), number


def test_every_measure_is_asked_about_by_one_product() -> None:
    assert sorted(number - 20 for number, _ in WIRE_PRODUCTS) == list(products.Measure)


@pytest.mark.parametrize("value", FEED_VALUES)
def test_feed_message_has_the_fields_of_the_value_it_carries(value: type) -> None:
    wire = feed_pb2.DESCRIPTOR.message_types_by_name[value.__name__]
    assert {field.name for field in wire.fields} == {field.name for field in dataclasses.fields(value)}
