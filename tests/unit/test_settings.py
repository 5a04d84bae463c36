from __future__ import annotations

from pathlib import Path

import pytest

import settings
from restriction.errors import SettingError
from settings import Settings, load

HOME = {"HOME": "/home/clerk"}


def write(folder: Path, text: str) -> Path:
    config = folder / "lintel.yaml"
    config.write_text(text, encoding="utf-8")
    return config


def test_without_any_setting_everything_is_under_the_users_home() -> None:
    home = Path("/home/clerk/.lintel")
    assert load(HOME, None) == Settings(home, None, home / "token.secret", home / "units.yaml")


def test_files_follow_a_home_that_is_set() -> None:
    loaded = load({"LINTEL_HOME": "/srv/lintel"}, None)
    assert (loaded.token_secret_file, loaded.units_file) == (
        Path("/srv/lintel/token.secret"), Path("/srv/lintel/units.yaml"),
    )  # fmt: skip


def test_every_setting_has_the_same_name_in_environment_and_file(tmp_path: Path) -> None:
    values = {
        "home": "/srv/lintel", "redis_url": "redis://store:6379/0", "token_secret_file": "/run/secret",
        "units_file": "/etc/units.yaml",
    }  # fmt: skip
    config = write(tmp_path, "".join(f"{name}: {value}\n" for name, value in values.items()))
    environ = {f"LINTEL_{name.upper()}": value for name, value in values.items()}
    assert load({}, config) == load(environ, None)
    assert set(values) == set(Settings.__dataclass_fields__)


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = write(tmp_path, "home: /from/file\n")
    assert load({"LINTEL_HOME": "/from/environment"}, config).home == Path("/from/environment")


def test_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    config = write(tmp_path, "redis_url: redis://store\n")
    assert load({**HOME, "LINTEL_REDIS_URL": ""}, config).redis_url == "redis://store"


def test_relative_path_in_the_file_starts_from_the_file(tmp_path: Path) -> None:
    assert load(HOME, write(tmp_path, "units_file: units.yaml\n")).units_file == tmp_path / "units.yaml"


@pytest.mark.parametrize(("written", "meant"), [("~", "/home/clerk"), ("~/lintel", "/home/clerk/lintel")])
def test_tilde_is_the_users_home(written: str, meant: str) -> None:
    assert load({**HOME, "LINTEL_HOME": written}, None).home == Path(meant)


def test_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert load(HOME, write(tmp_path, "# nothing yet\n")) == load(HOME, None)


def test_variables_of_other_names_are_left_alone() -> None:
    assert load({**HOME, "LINTEL_ADDRESS": "gateway:50051"}, None) == load(HOME, None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("redis_ulr: redis://store\n", "redis_ulr: no such setting", id="unknown key"),
        pytest.param("7: x\n", "7: no such setting", id="key that is no name"),
        pytest.param("home: [a]\n", "home: not a text", id="list for a text"),
        pytest.param("home: ''\n", "home: not a text", id="empty text"),
        pytest.param("- home\n", "not a mapping", id="list for a mapping"),
        pytest.param("home: /srv\nunits_file: [\n", "line 3 is not YAML", id="not YAML"),
    ],
)
def test_file_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        load(HOME, write(tmp_path, text))


def test_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "lintel.yaml"
    config.write_bytes(b"home: \xff\n")
    with pytest.raises(SettingError, match="the file is not YAML"):
        load(HOME, config)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"LINTEL_CONFIG: .*absent\.yaml: No such file"):
        load(HOME, tmp_path / "absent.yaml")


def test_no_home_at_all_is_refused_with_what_to_set() -> None:
    with pytest.raises(SettingError, match="set LINTEL_HOME"):
        load({}, None)


@pytest.mark.parametrize(
    "url",
    [
        "redis://store",
        "rediss://user:pw@store:6380/1",
        "redis://[::1]:6379",
        "unix:///run/store.sock",
        "redis+sentinel://a:26379,b:26379/lintel",
        "redis+cluster://a:6379,b:6379",
    ],
)
def test_redis_url_is_taken_as_written(url: str) -> None:
    assert load({**HOME, "LINTEL_REDIS_URL": url}, None).redis_url == url


@pytest.mark.parametrize(
    "url", ["store:6379", "http://s3cret@store", "redis://", "redis://s3cret@store:port", "unix://"]
)
def test_malformed_redis_url_is_refused_and_not_echoed(url: str) -> None:
    with pytest.raises(SettingError, match="LINTEL_REDIS_URL: not a Redis URL") as refusal:
        load({**HOME, "LINTEL_REDIS_URL": url}, None)
    assert "s3cret" not in str(refusal.value)


def test_password_is_not_shown_by_repr() -> None:
    assert "s3cret" not in repr(load({**HOME, "LINTEL_REDIS_URL": "redis://:s3cret@store"}, None))


def test_current_reads_the_process_and_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINTEL_CONFIG", str(write(tmp_path, "home: /srv/lintel\n")))
    monkeypatch.delenv("LINTEL_HOME", raising=False)
    assert settings.current().home == Path("/srv/lintel")


def test_child_inherits_everything_but_our_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINTEL_REDIS_URL", "redis://another")
    monkeypatch.setenv("LANG", "C.UTF-8")
    child = settings.for_child({"LINTEL_HOME": "/srv/lintel"})
    assert child["LANG"] == "C.UTF-8"
    assert {key: value for key, value in child.items() if key.startswith("LINTEL_")} == {"LINTEL_HOME": "/srv/lintel"}
