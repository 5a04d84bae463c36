"""What an operator may set, from the environment and from one YAML file, as one frozen value.

Rules that hold: every setting has the same name in both places (`redis_url` is `LINTEL_REDIS_URL`), and the environment
wins; an empty variable is as good as none; a key that nobody reads, or a value that cannot be meant, is refused by name
and never echoed, since a URL may hold a password.
This is the only room that reads the environment; variables with other names are left to whoever calls a gateway.
Nothing here opens, makes or checks the files and servers that settings name: their rooms do, with better words.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from restriction.errors import SettingError

__all__ = ["Settings", "current", "for_child", "load"]

CONFIG_VARIABLE: Final = "LINTEL_CONFIG"
_PREFIX: Final = "LINTEL_"
_SERVER_SCHEMES: Final = frozenset({"redis", "rediss", "redis+sentinel", "redis+cluster"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are. Without `redis_url` the store is the embedded one under `home`."""

    home: Path
    redis_url: str | None = field(repr=False)  # may hold a password
    token_secret_file: Path
    units_file: Path


_NAMES: Final = frozenset(Settings.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as written: `key` is its name there, `base` the folder that a relative path starts from."""

    key: str
    text: str = field(repr=False)
    base: Path


def current() -> Settings:
    """The settings of this process. Raises: SettingError."""
    environ = os.environ  # noqa: TID251 - the one place that reads the environment
    config_file = environ.get(CONFIG_VARIABLE)
    return load(environ, Path(config_file) if config_file else None)


def for_child(values: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process started with these settings: all of ours but our own settings."""
    environ = os.environ  # noqa: TID251 - a child inherits what this process was given
    return {key: value for key, value in environ.items() if not key.startswith(_PREFIX)} | dict(values)


def load(environ: Mapping[str, str], config_file: Path | None) -> Settings:
    """The settings of these sources. Raises: SettingError naming the key, what is wrong and what to do."""
    given = _from_file(config_file) if config_file else {}
    given |= _from_environment(environ)
    home = _path(given["home"], environ) if "home" in given else _user_home(environ, f"{_PREFIX}HOME") / ".lintel"
    return Settings(
        home=home,
        redis_url=_redis_url(given["redis_url"]) if "redis_url" in given else None,
        token_secret_file=_path_or(given.get("token_secret_file"), home / "token.secret", environ),
        units_file=_path_or(given.get("units_file"), home / "units.yaml", environ),
    )


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    keys = {name: _PREFIX + name.upper() for name in _NAMES}
    return {name: _Given(key, environ[key], Path()) for name, key in keys.items() if environ.get(key)}


def _from_file(path: Path) -> dict[str, _Given]:
    written = _read_yaml(path)
    if written is None:
        return {}
    if not isinstance(written, dict):
        raise SettingError(f"{path}: not a mapping of settings; write one `name: value` a line")
    return {_known(key, path): _given(f"{path}: {key}", value, path.parent) for key, value in written.items()}


def _read_yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{CONFIG_VARIABLE}: {path}: {error.strerror}; name a file that can be read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        # The cause is cut off: it quotes the file.
        raise SettingError(f"{path}: {where} is not YAML; write one `name: value` a line, in UTF-8") from None


def _known(key: object, path: Path) -> str:
    if not isinstance(key, str) or key not in _NAMES:
        raise SettingError(f"{path}: {key}: no such setting; the settings are {', '.join(sorted(_NAMES))}")
    return key


def _given(key: str, value: object, base: Path) -> _Given:
    if not isinstance(value, str) or not value:
        raise SettingError(f"{key}: not a text; give one, or leave the line out for the default")
    return _Given(key, value, base)


def _path_or(given: _Given | None, default: Path, environ: Mapping[str, str]) -> Path:
    return _path(given, environ) if given else default


def _path(given: _Given, environ: Mapping[str, str]) -> Path:
    if given.text == "~" or given.text.startswith("~/"):
        return _user_home(environ, given.key) / given.text[2:]
    return given.base / given.text


def _user_home(environ: Mapping[str, str], key: str) -> Path:
    text = environ.get("HOME") or environ.get("USERPROFILE")
    if not text:
        raise SettingError(f"{key}: this user has no home directory; set {key} to a whole path")
    return Path(text)


def _redis_url(given: _Given) -> str:
    if not _is_redis_url(given.text):
        raise SettingError(
            f"{given.key}: not a Redis URL; write redis://HOST:PORT, rediss://HOST:PORT, unix:///PATH, "
            "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or redis+cluster://HOST:PORT,HOST:PORT"
        )
    return given.text


def _is_redis_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = urlsplit(text.partition(",")[0]).port  # Sentinels and cluster nodes are a list; the store reads it whole
    except ValueError:  # a bracket too few, or a port that is no number
        return False
    if parts.scheme == "unix":
        return bool(parts.path)
    return parts.scheme in _SERVER_SCHEMES and bool(parts.hostname) and port != 0
