"""`submit --wait` through a real court, agent and gateway, over a real Valkey with two real replicas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.access import read_units
from publisher.commands import publisher
from publisher.effect import wait_for
from publisher.wiring import Gateways
from restriction.change import ListId
from restriction.errors import LintelError, NotReadyError, RoleNotAllowedError, SettingError, UnauthenticatedError
from restriction.identity import Mode
from sandbox import documents
from sandbox.stage import Stage, prepare
from settings.caller_keys import hash_key, new_key
from tests.e2e import people
from tests.fakes.replicas import Replicated

# A house of six processes and a founding: minutes on a machine that is busy, seconds on one that is not.
pytestmark = pytest.mark.timeout(300)

SOMEBODY = documents.resident(3 * 10**9 + 40_000)
INSTANTS = ("lifts_in_effect_at", "applied_at", "lifts_acknowledged_at", "acknowledged_at")
NOBODY = "127.0.0.1:1"


class Court:
    """Somebody at a terminal of the court's side."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def run(self, *options: str, lines: Sequence[str] = ()) -> Result:
        command = ["submit", "--dir", str(self.stage.court), "-", "--json", "--wait", *options]
        return CliRunner().invoke(publisher, command, input="\n".join(lines))

    def submit(
        self, *lines: str, gateways: tuple[str, ...] = (), timeout_s: float = 30
    ) -> tuple[Json, LintelError | None]:
        """Submit and wait; the report, and what was wrong in the end."""
        named = [part for gateway in gateways or (self.stage.address,) for part in ("--gateway", gateway)]
        done = self.run("--insecure", "--timeout", str(timeout_s), *named, lines=lines)
        assert done.exception is None or isinstance(done.exception, LintelError), done.output
        return json.loads(done.stdout), done.exception

    @contextmanager
    def holding(self, key: str | None) -> Iterator[None]:
        """With another key, or with none."""
        file = self.stage.court / "court.key"
        own = file.rename(file.with_suffix(".own"))
        if key is not None:
            file.write_text(key)
        yield
        own.replace(file)


Json = dict[str, Any]


@pytest.fixture(scope="module")
def court(replicated_servers: Replicated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    stage = prepare(tmp_path_factory.mktemp("acknowledged"), ["hotel"])
    stage = replace(stage, environment={**stage.environment, "LINTEL_REDIS_URL": replicated_servers.url})
    try:
        stage.put_parameters()
        report = stage.submit([people.listing("first", people.P, people.today())])
        stage.start("court", "agent", "gateway")
        stage.await_serving(report["version"])
        yield Court(stage)
    finally:
        stage.stop()


def test_submit_says_when_a_lift_took_effect_and_who_has_acknowledged_it(court: Court) -> None:
    for line in (people.listing("one", SOMEBODY, people.today()), people.lift("one", people.today())):
        report, problem = court.submit(line)
        effect = report["effect"]
        assert (problem, len(report["accepted"])) == (None, 1)
        assert (effect["version"], effect["state"]) == (report["version"], "acknowledged")
        assert (effect["replicas_confirmed"], effect["replicas_configured"]) == (2, 2)
        eased, applied, eased_everywhere, everywhere = (effect[instant] for instant in INSTANTS)
        assert eased <= applied <= everywhere
        assert eased <= eased_everywhere <= everywhere


def test_while_a_replica_stands_still_a_lift_is_applied_and_not_called_acknowledged(
    court: Court, replicated_servers: Replicated
) -> None:
    assert court.submit(people.listing("two", SOMEBODY, people.today()))[1] is None
    with replicated_servers.replicas[0].stopped():
        report, problem = court.submit(people.lift("two", people.today()), timeout_s=3)
        effect = report["effect"]
        assert len(report["accepted"]) == 1
        assert effect["state"] == "applied, unacknowledged"
        assert (effect["replicas_confirmed"], effect["replicas_configured"]) == (1, 2)
        assert effect["lifts_in_effect_at"]
        assert effect["applied_at"]
        assert (effect["lifts_acknowledged_at"], effect["acknowledged_at"]) == (None, None)
        assert isinstance(problem, NotReadyError)
        assert str(problem) == f"version {report['version']} is signed; applied, unacknowledged after 3 s"
    later, problem = court.submit()
    assert (problem, later["version"], later["effect"]["state"]) == (None, report["version"], "acknowledged")
    assert later["effect"]["lifts_in_effect_at"] == effect["lifts_in_effect_at"]


def test_any_gateway_can_tell_and_one_that_is_away_is_passed_over(court: Court) -> None:
    report, problem = court.submit(gateways=(NOBODY, court.stage.address))
    assert (problem, report["effect"]["state"]) == (None, "acknowledged")
    report, problem = court.submit(gateways=(NOBODY,), timeout_s=0.5)
    assert report["effect"]["state"] == "not known: no gateway answered"
    assert isinstance(problem, NotReadyError)


def test_a_gateway_of_another_list_is_told_apart_whatever_its_version(court: Court) -> None:
    key = (court.stage.court / "court.key").read_text().strip()
    gateways = Gateways((court.stage.address,), key, insecure=True)
    other = ListId("another", "sandbox", 1)
    with pytest.raises(SettingError, match="another list"):
        wait_for(1, other, gateways, 5)


@pytest.mark.parametrize("holder", ["nobody", "a unit"])
def test_a_refused_key_is_told_at_once_and_the_report_all_the_same(court: Court, holder: str) -> None:
    wrong = court.stage.keys["hotel"] if holder == "a unit" else new_key(Mode.SANDBOX)
    with court.holding(wrong):
        report, problem = court.submit()
    assert "effect" not in report
    assert isinstance(problem, RoleNotAllowedError if holder == "a unit" else UnauthenticatedError)
    assert wrong not in str(problem)


def test_without_the_courts_key_or_a_gateway_nothing_is_submitted(court: Court) -> None:
    line = people.listing("three", SOMEBODY, people.today())
    with court.holding(None):
        assert isinstance(court.run("--gateway", NOBODY, lines=[line]).exception, SettingError)
    assert court.run(lines=[line]).exit_code == 2
    assert [row["status"] for row in court.submit(line)[0]["accepted"]] == ["accepted"]


def test_a_founded_list_knows_its_court_and_keeps_its_key_to_itself(court: Court) -> None:
    directory = court.stage.court
    assert (directory / "court.key").stat().st_mode & 0o777 == 0o600
    (row,) = [caller for caller in read_units(directory / "units.yaml") if caller.id == "court"]
    key = (directory / "court.key").read_text().strip()
    assert row.key_sha256 == hash_key(key)
    assert key.startswith("test_")
    listed = json.loads(court.stage.lintel("units", "list"))
    assert [unit["role"] for unit in listed if unit["id"] == "court"] == ["court"]
    assert key not in json.dumps(listed)
    assert all("key_sha256" not in unit for unit in listed)
