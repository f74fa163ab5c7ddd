"""The configuration file of the command line: TOML with defaults and profiles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import click

from ..stores.user_folders import user_folder

ENVIRONMENT_VARIABLE = "BLOCKING_REQUEST_CONFIG"
FILE_NAME = "config.toml"
DEFAULTS = "defaults"
PROFILES = "profiles"


class ConfigurationError(click.UsageError):
    """The configuration file is not as documented. The text is one sentence."""


@dataclass(frozen=True)
class ConfigFile:
    """The tables of a configuration file. ``path``: '' if there is none. The values may hold secrets."""

    path: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def error(self, key: str, problem: str) -> ConfigurationError:
        """Return the error for the value of a key."""
        return ConfigurationError(f"The configuration file {self.path}: {key} {problem}")

    def profile(self, name: str) -> Mapping[str, Any]:
        """Return the table of a profile. Raises ConfigurationError."""
        if name in self.profiles:
            return self.profiles[name]
        if not self.path:
            raise ConfigurationError(f"There is no profile {name!r}: there is no configuration file {config_path()}")
        names = f"expected one of {', '.join(sorted(self.profiles))}" if self.profiles else "it has no profile"
        raise ConfigurationError(f"There is no profile {name!r} in the configuration file {self.path}: {names}")


def config_path() -> Path:
    """Return the path of the configuration file, which need not exist."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(named) if named else user_folder("config") / FILE_NAME


def read_config() -> ConfigFile:
    """Read the configuration file; without one, return an empty ConfigFile.

    Raises click.FileError if it cannot be read, or if the environment variable names one that does not exist. Raises
    ConfigurationError if it is not as documented.
    """
    try:
        path = config_path()
    except RuntimeError:  # raised by pathlib or platformdirs if the user has no home folder
        return ConfigFile()
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if not os.environ.get(ENVIRONMENT_VARIABLE):
            return ConfigFile()
        raise click.FileError(f"{path} of {ENVIRONMENT_VARIABLE}", error.strerror or str(error)) from None
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from None
    except ValueError as error:  # a null character
        raise click.UsageError(f"{ENVIRONMENT_VARIABLE} is not a path: {error}") from None
    return _parsed(str(path), content)


def _parsed(path: str, content: bytes) -> ConfigFile:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"The configuration file {path} is not UTF-8 text (at line {line})") from None
    document = _toml(path, text)
    file = ConfigFile(path)
    for key, value in document.items():
        if key not in (DEFAULTS, PROFILES):
            raise file.error(key, f"is unknown: expected [{DEFAULTS}], or [{PROFILES}.NAME] for a profile")
        _check_table(file, key, value)
    for name, value in document.get(PROFILES, {}).items():
        _check_table(file, f"{PROFILES}.{name}", value)
    return ConfigFile(path, document.get(DEFAULTS, {}), document.get(PROFILES, {}))


def _check_table(file: ConfigFile, key: str, value: Any) -> None:
    if not isinstance(value, dict):
        header = key if key == DEFAULTS or "." in key else f"{key}.NAME"
        raise file.error(key, f"is {kind_of(value)}: expected a table, [{header}]")


def _toml(path: str, text: str) -> dict[str, Any]:
    """Parse TOML. Raises ConfigurationError."""
    loads, error_class = _toml_parser()
    if loads is None:
        if not text.strip():
            return {}
        raise ConfigurationError(
            f"The configuration file {path} needs tomli on this Python: python3 -m pip install 'blocking-request[cli]'"
        )
    try:
        document: dict[str, Any] = loads(text)
    except error_class as error:
        raise ConfigurationError(f"The configuration file {path} is not TOML: {error}") from None
    except ValueError:  # the limit of Python for the digits of a number
        raise ConfigurationError(f"The configuration file {path} is not TOML: a number has too many digits") from None
    except RecursionError:
        raise ConfigurationError(f"The configuration file {path} is not TOML: it is nested too deeply") from None
    return document


def _toml_parser() -> tuple[Optional[Any], type[Exception]]:
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]
    except ImportError:  # before Python 3.11
        try:
            import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError:
            return None, Exception
    return tomllib.loads, tomllib.TOMLDecodeError


def kind_of(value: Any) -> str:
    """Return the kind of a TOML value, for a message."""
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or time")
