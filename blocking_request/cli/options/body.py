"""The options of the request's body."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import click

from ..._first_use import first_use
from ...models.redaction import hidden_repr
from .file_content import content_of, named_file
from .sections import BODY, Command, decorated, option
from .values import opened


class RequestBody(NamedTuple):
    """The body of a request, and the header fields that belong to it."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    data: Any
    """bytes, or a binary file that is read as it is sent."""
    content_type: str
    accept: Optional[str] = None


def body_options(command: Command) -> Command:
    """Add the options of the body to a command."""
    return decorated(
        command,
        [
            option(
                BODY,
                "-d",
                "--data",
                "--data-binary",
                "data",
                multiple=True,
                metavar="TEXT|@FILE",
                help="Send this body; @FILE is the content of a file, @- standard input. Several are joined with &. "
                "If -H gives no Content-Type, it is application/x-www-form-urlencoded.",
            ),
            option(
                BODY,
                "--data-raw",
                multiple=True,
                metavar="TEXT",
                help="Like -d, but a text that begins with @ is sent as it is.",
            ),
            option(
                BODY,
                "--json",
                "json_items",
                multiple=True,
                metavar="JSON|@FILE|ITEM",
                help="Send JSON: a value, a file (@- is standard input), or the members of an object, each as "
                "name=text or name:=JSON. name=@FILE is a text, name:=@FILE the JSON of a file.",
            ),
            option(
                BODY,
                "--form",
                "form_fields",
                multiple=True,
                metavar="NAME=VALUE",
                help="Send a form with this field, encoded. The option may be given several times.",
            ),
            option(
                BODY,
                "-F",
                "--form-file",
                "form_files",
                multiple=True,
                metavar="NAME=@FILE",
                help="Send a form with this file (multipart/form-data); @- is standard input. "
                "';type=image/png' and ';filename=name' may follow. NAME=VALUE is a field.",
            ),
        ],
    )


def body_of(values: Mapping[str, Any]) -> Optional[RequestBody]:
    """Return the body that the options give; None if they give none. Raises click.UsageError, click.FileError."""
    data, raw, json_items = values.get("data"), values.get("data_raw"), values.get("json_items")
    is_form = values.get("form_fields") or values.get("form_files")
    kinds = (("-d", data or raw), ("--json", json_items), ("--form or -F", is_form))
    given = [name for name, each in kinds if each]
    if len(given) > 1:
        raise click.UsageError(f"a request has one body: give {' or '.join(given)}, not both")
    if data or raw:
        return RequestBody(_joined(data or (), raw or ()), "application/x-www-form-urlencoded")
    if json_items:
        with first_use:
            from .json_items import json_body
        return RequestBody(json_body(json_items), "application/json", accept="application/json")
    if is_form:
        with first_use:
            from .form_fields import form_body
        return RequestBody(*form_body(values["form_fields"], values["form_files"]))
    return None


def _joined(texts: tuple[str, ...], raw: tuple[str, ...]) -> Any:
    """Return the body of -d and --data-raw. One file alone is read as it is sent.

    Raises click.UsageError, click.FileError.
    """
    if len(texts) == 1 and not raw and texts[0].startswith("@") and texts[0] != "@-":
        return opened(named_file(texts[0], "-d"), "-d")
    parts = [content_of(text, "-d") if text.startswith("@") else os.fsencode(text) for text in texts]
    return b"&".join([*parts, *map(os.fsencode, raw)])
