"""What `./run faults` does with experiments: none is passed over, and none is well that was not seen to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.faults.plan import Outcome, Plan
from tests.faults.run import EXPERIMENTS, Size, experiment_of, faults, run_all

SIZE = Size(seed=7, scale=0.1, seconds=2.0)


def well(plan: Plan) -> Outcome:
    return Outcome({"asked": plan.count(100), "seed": plan.seed, "empty": not any(plan.folder.iterdir())})


def broken(plan: Plan) -> Outcome:
    (plan.folder / "left").touch()
    return Outcome({"by kind": {"lost": 1}}, ("one was lost",))


def failing(_plan: Plan) -> Outcome:
    raise OSError("no disk")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_row_of_the_table_has_an_experiment(name: str) -> None:
    assert callable(experiment_of(name))


def test_each_experiment_gets_a_folder_and_the_size_of_the_run(tmp_path: Path) -> None:
    report = run_all({"one": broken, "two": well}, SIZE, "./run faults", tmp_path)
    assert report.rows[1].figures == {"asked": 10, "seed": 7, "empty": True}


def test_what_an_experiment_raises_is_a_violation_and_the_others_still_run(tmp_path: Path) -> None:
    report = run_all({"one": failing, "two": well}, SIZE, "./run faults", tmp_path)
    assert [row.violations for row in report.rows] == [("ended by OSError: no disk",), ()]


def test_the_report_holds_every_figure_and_violation(tmp_path: Path) -> None:
    run_all({"one": broken, "two": well}, SIZE, "./run faults one two", tmp_path)
    kept = json.loads((tmp_path / "report.json").read_text())
    assert (kept["command"], kept["seed"], kept["violations"]) == ("./run faults one two", 7, 1)
    assert kept["machine"]["commit"]
    assert kept["rows"][0]["figures"] == {"by kind": {"lost": 1}}
    read = (tmp_path / "report.md").read_text()
    assert "one was lost" in read
    assert "  - lost: 1" in read


@pytest.mark.parametrize(("experiment", "code"), [(well, 0), (broken, 1), (failing, 1)])
def test_the_exit_code_says_whether_a_rule_was_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, experiment: object, code: int
) -> None:
    monkeypatch.setattr("tests.faults.run.experiment_of", lambda _name: experiment)
    monkeypatch.setattr("tests.faults.run.EXPERIMENTS", {"one": ""})
    done = CliRunner().invoke(faults, ["--report", str(tmp_path / "report")])
    assert done.exit_code == code
