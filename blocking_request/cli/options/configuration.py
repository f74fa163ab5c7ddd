"""The options --profile and --no-config, and commands whose options get defaults from the configuration file."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import click
from click.core import ParameterSource

from ...models.redaction import is_secret_field
from ..config_file import DEFAULTS, PROFILES, ConfigFile, kind_of, read_config
from ..passwords import password_of
from .precedence import header_name, remaining, without_effect
from .sections import CONFIGURATION, Command, SectionedCommand, decorated, option
from .values import UnreadableFile

OWN_KEYS = frozenset({"profile", "no-config", "help", "version"})
CREDENTIALS = frozenset({"user", "bearer"})
"""Options that send a credential to the server of the URL: which one that is, only a profile can know."""


def _profile_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    try:
        return [name for name in read_config().profiles if name.startswith(incomplete)]
    except click.ClickException:
        return []


def configuration_options(command: Command) -> Command:
    """Add the options of the configuration file to a command."""
    return decorated(
        command,
        [
            option(
                CONFIGURATION,
                "--profile",
                metavar="NAME",
                expose_value=False,
                shell_complete=_profile_names,
                help="Use the options of this profile of the configuration file.",
            ),
            option(
                CONFIGURATION,
                "--no-config",
                is_flag=True,
                expose_value=False,
                help="Do not read the configuration file.",
            ),
        ],
    )


def reads_file(command: click.Command) -> bool:
    """Return whether the options of a command have defaults in the configuration file."""
    return any("--profile" in parameter.opts for parameter in command.params)


@dataclass(frozen=True)
class _Setting:
    """The value of an option in the configuration file. ``place``: its full key, such as profiles.work.proxy."""

    parameter: click.Option
    place: str
    value: Any = field(repr=False)


class ConfiguredCommand(SectionedCommand):
    """A command whose options have defaults in the configuration file, if it has the option --profile."""

    def parse_words(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. An option that they lack gets the value of the configuration file."""
        if ctx.resilient_parsing or not reads_file(self):
            return super().parse_words(ctx, args)
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        help_option = self.get_help_option(ctx)
        if help_option is not None and given.get(str(help_option.name)):
            return super().parse_words(ctx, args)
        file = _chosen_file(given)
        settings = _settings(self, ctx, file, given)
        ctx.meta[__name__] = (file, settings)
        args = _with_headers(args, given, settings)
        ctx.default_map = {name: setting.value for name, setting in settings.items() if name not in given}
        try:
            return super().parse_words(ctx, args)
        except click.BadParameter as error:
            name = getattr(error.param, "name", None)
            if name in settings and ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP:
                raise file.error(settings[name].place, f"is wrong: {error.message}") from None
            raise
        except UnreadableFile as error:
            raise _naming_the_key(error, ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, as click calls it. An error of usage names the keys of the file that it concerns."""
        try:
            return super().invoke(ctx)
        except UnreadableFile as error:
            raise _naming_the_key(error, ctx) from None
        except click.UsageError as error:
            file, settings = ctx.meta.get(__name__, (None, {}))
            concerned = _concerned(error.format_message(), settings.values())
            if not concerned:
                raise
            places = ", ".join(concerned)
            text = f"{error.format_message().rstrip('.')}; the configuration file {file.path} sets {places}"
            raise click.UsageError(text, error.ctx) from None


_WORD = re.compile(r"[\w.-]+")


def _concerned(message: str, settings: Iterable[_Setting]) -> list[str]:
    """Return the keys that may have caused an error of usage: all if the message names neither option nor argument."""
    words = set(_WORD.findall(message))
    if not any(word.startswith("-") or word in ("URL", "METHOD") for word in words):
        return sorted(setting.place for setting in settings)
    return sorted(each.place for each in settings if words & _words_of(each.parameter))


def _words_of(parameter: click.Parameter) -> set[str]:
    """Return the words by which a message can mean an option: its names, with and without hyphens."""
    names = {*parameter.opts, *parameter.secondary_opts}
    return names | {name.lstrip("-") for name in names if name.startswith("--")}


def _naming_the_key(error: UnreadableFile, ctx: click.Context) -> UnreadableFile:
    """Return the error about a file. It names the key of the configuration file if that has set the option."""
    file, settings = ctx.meta.get(__name__, (None, {}))
    name = error.option.partition(" ")[0]
    for setting in settings.values():
        is_set = ctx.get_parameter_source(str(setting.parameter.name)) is ParameterSource.DEFAULT_MAP
        if name in setting.parameter.opts and is_set:
            return UnreadableFile(error.filename, error.message, f"{setting.place} of {file.path}")
    return error


def is_from_file(name: str) -> bool:
    """Return whether the configuration file has set a parameter of the current command."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def _chosen_file(given: Mapping[str, Any]) -> ConfigFile:
    if not given.get("no_config"):
        return read_config()
    if given.get("profile") is not None:
        raise click.UsageError(
            "--profile and --no-config exclude each other: a profile stands in the configuration file"
        )
    return ConfigFile()


def _settings(
    command: click.Command, ctx: click.Context, file: ConfigFile, given: Mapping[str, Any]
) -> dict[str, _Setting]:
    """Return the settings of the file by the name of the parameter, without those that stronger options exclude."""
    profile: Optional[str] = given.get("profile")
    tables = [(DEFAULTS, file.defaults)]
    if profile is not None:
        tables.insert(0, (f"{PROFILES}.{profile}", file.profile(profile)))
    given = {"head": True, **given} if command.name == "head" else given  # as -I, it excludes options of the body
    known, names = _options_by_key(ctx), {parameter.name for parameter in command.params}
    found: dict[str, _Setting] = {}
    switched_off: set[str] = set()
    for table_name, table in tables:
        # A switch that is off in the profile excludes nothing.
        stronger = {**given, **{name: setting.value for name, setting in found.items() if setting.value}}
        stronger["headers"] = [*given.get("headers", ()), *stronger.get("headers", ())]
        for name, setting in _table_settings(table_name, table, known, file).items():
            if setting.value is None or setting.place.rpartition(".")[2] in switched_off:
                continue
            value = remaining(name, setting.value, stronger)
            if name == "headers" and name in found:
                value = (*value, *found[name].value)
            elif name in found:
                continue
            if name in names and value not in (None, ()):
                found[name] = _Setting(setting.parameter, setting.place, value)
        switched_off |= {key for key, value in table.items() if value is False}
    for name in without_effect(found, {*given, *found}):
        del found[name]
    if profile is not None and "user" in found:
        user = found["user"]
        found["user"] = _Setting(user.parameter, user.place, password_of(profile, user.value, file))
    return found


def _table_settings(
    table_name: str, table: Mapping[str, Any], known: Mapping[str, click.Option], file: ConfigFile
) -> dict[str, _Setting]:
    """Return the settings of one table. The value of a flag that it switches off may be None."""
    settings: dict[str, _Setting] = {}
    for key, value in table.items():
        place = f"{table_name}.{key}"
        parameter = _option_of(key, place, known, file)
        converted = _converted(parameter, key, place, value, file)
        if table_name == DEFAULTS and _has_credential(key, converted):
            raise file.error(place, f"has a credential, which every server would get: expected it in [{PROFILES}.NAME]")
        if converted is not None or parameter.name not in settings:
            settings[str(parameter.name)] = _Setting(parameter, place, converted)
    return settings


def _has_credential(key: str, value: Any) -> bool:
    if key == "header":
        return any(is_secret_field(header_name(header).encode("utf-8", "replace"), ()) for header in value)
    return key in CREDENTIALS or (key == "cookie" and any("=" in cookies for cookies in value))


def _options_by_key(ctx: click.Context) -> dict[str, click.Option]:
    """Return the options of all commands that read the file, by their keys in it."""
    root = ctx.find_root().command
    commands = root.commands.values() if isinstance(root, click.Group) else [ctx.command]
    return {
        name[2:]: parameter
        for command in commands
        if reads_file(command)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and name[2:] not in OWN_KEYS
    }


def _option_of(key: str, place: str, known: Mapping[str, click.Option], file: ConfigFile) -> click.Option:
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key.lstrip("-").replace("_", "-"), known, 1)
    such_as = near[0] if near else "timeout"
    raise file.error(place, f"is no option: expected the long name of an option without --, such as {such_as}")


def _converted(parameter: click.Option, key: str, place: str, value: Any, file: ConfigFile) -> Any:
    """Return a value in the form of the command line, None if it sets nothing."""
    if parameter.is_flag:
        if not isinstance(value, bool):
            raise file.error(place, f"is {kind_of(value)}: expected true or false")
        if not parameter.is_bool_flag:  # one of several flags for the same parameter
            return parameter.flag_value if value else None
        return value is not (f"--{key}" in parameter.secondary_opts)
    if parameter.count:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise file.error(place, f"is {kind_of(value)}: expected a whole number")
        return value
    if not parameter.multiple:
        return _text(parameter, place, value, file)
    values = value if isinstance(value, list) else [value]
    return tuple(_text(parameter, place, item, file) for item in values)


def _text(parameter: click.Option, place: str, value: Any, file: ConfigFile) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        expected = "text or a number" + (", or a list of them" if parameter.multiple else "")
        raise file.error(place, f"is {kind_of(value)}: expected {expected}")
    text = str(value)
    is_path = any(word in (parameter.metavar or "") for word in ("FILE", "FOLDER"))
    return os.path.expanduser(text) if is_path and text.startswith("~/") else text


def _with_headers(args: list[str], given: Mapping[str, Any], settings: Mapping[str, _Setting]) -> list[str]:
    """Return the arguments with the headers of the file, whose names they lack."""
    if "headers" not in given or "headers" not in settings:
        return args
    return [*(f"--header={header}" for header in settings["headers"].value), *args]
