"""The rules of the house that no tool checks by itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PROJECT["tool"]["importlinter"]


def rooms() -> set[str]:
    """Every importable folder of the project but its tests."""
    folders = [*ROOT.glob("*/__init__.py"), *ROOT.glob("clients/python/*/__init__.py")]
    return {path.parent.name for path in folders} - {"tests", "clients"}


def test_every_room_has_a_place_in_the_layers() -> None:
    [layers] = [contract["layers"] for contract in LINTER["contracts"] if contract["type"] == "layers"]
    placed = [room.strip() for layer in layers for room in layer.replace("|", ":").split(":")]
    assert sorted(placed) == sorted(rooms())


def test_every_room_is_seen_by_the_linter_and_shipped_rooms_by_coverage() -> None:
    assert set(LINTER["root_packages"]) == rooms()
    assert set(PROJECT["tool"]["coverage"]["run"]["source_pkgs"]) == rooms() - {"loadtests"}


def test_proto_is_an_import_root_and_no_package() -> None:
    assert not (ROOT / "proto" / "__init__.py").exists()
