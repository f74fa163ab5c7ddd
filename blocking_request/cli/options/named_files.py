"""Refuses a command that names one file for two purposes, so that what it writes would destroy what it reads."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Optional

import click

from ...bodies.part_description import DESCRIPTION_SUFFIX, PART_SUFFIX
from ..devices import descriptor_of
from .tls import path_of_certificate

_FORM_PARAMETERS = re.compile(r";\s*(?:type|filename)=.*", re.DOTALL)


class _NamedFile(NamedTuple):
    option: str
    path: str
    status: Optional[os.stat_result]
    """None if there is no such file."""


def check_named_files(values: Mapping[str, Any], target: Optional[str]) -> None:
    """Refuse a file that the command writes and that another option names, too. ``target``: the file of the body.

    -b and -c may name one file, as in curl. Raises click.UsageError.
    """
    written = [_named(*each) for each in _written(values, target)]
    others = [*(_named(*each) for each in _read(values)), *_standard_output()]
    for number, one in enumerate(written):
        for other in [*written[number + 1 :], *others]:
            if (one.option, other.option) != ("-c", "-b") and _is_same(one, other):
                raise click.UsageError(
                    f"{one.option} and {other.option} name the same file, which would be overwritten: {one.path}"
                )


def _written(values: Mapping[str, Any], target: Optional[str]) -> Iterator[tuple[str, str]]:
    """Yield options and paths of the files that are written."""
    if target is not None and descriptor_of(target) is None and not os.path.isdir(target):
        option = "-O" if values["remote_name"] else "-o"
        yield option, target
        yield option, target + PART_SUFFIX
        yield option, target + DESCRIPTION_SUFFIX
    if values["har"] and descriptor_of(values["har"]) is None:  # otherwise it is refused later
        yield "--har", values["har"]
    if values["cookie_jar"]:
        yield "-c", values["cookie_jar"]


def _read(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield options and paths of the files that are read."""
    yield from (("-b", text) for text in values["cookies"] if text and "=" not in text)
    files = (("--from", "url_file"), ("--cacert", "cacert"), ("--key", "key"), ("--netrc-file", "netrc_file"))
    for option, name in files:
        if values.get(name):
            yield option, values[name]
    if values["netrc"]:
        yield "--netrc", os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    if values["cert"]:
        yield "--cert", path_of_certificate(values["cert"])
    yield from (("-d", text[1:]) for text in values.get("data") or () if text.startswith("@"))
    for text in values.get("json_items") or ():
        name, _, path = text.partition("@")
        if name.endswith("=") or not name:
            yield "--json", path
    for text in values.get("form_files") or ():
        path = text.partition("=")[2]
        if path.startswith("@"):
            yield "-F", path[1:]
            yield "-F", _FORM_PARAMETERS.sub("", path[1:])


def _standard_output() -> Iterator[_NamedFile]:
    """Yield standard output if it is a file."""
    with suppress(OSError, ValueError):  # it has no descriptor in some tests
        status = os.fstat(sys.stdout.fileno())
        if stat.S_ISREG(status.st_mode):
            yield _NamedFile("standard output", "", status)


def _named(option: str, path: str) -> _NamedFile:
    if path == "-":
        return _NamedFile(option, "", None)
    status = None
    with suppress(OSError, ValueError):  # no such file; a null character
        status = os.stat(path)
    return _NamedFile(option, path, status)


def _is_same(one: _NamedFile, other: _NamedFile) -> bool:
    if one.status is not None and other.status is not None:
        return os.path.samestat(one.status, other.status) and not stat.S_ISCHR(one.status.st_mode)
    if one.status is not None or other.status is not None or "" in (one.path, other.path):
        return False
    return _normal(one.path) == _normal(other.path)


def _normal(path: str) -> str:
    return os.path.normcase(os.path.realpath(path.partition("\0")[0]))
