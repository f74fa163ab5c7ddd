"""Checks a text by the public JSON schema of HAR 1.2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft6Validator, FormatChecker
from referencing import Registry, Resource

_SCHEMAS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))["schemas"]
_REGISTRY: Any = Registry().with_resources(
    [(name.rstrip("#"), Resource.from_contents(schema)) for name, schema in _SCHEMAS.items()]
)
_VALIDATOR = Draft6Validator(_SCHEMAS["har.json#"], registry=_REGISTRY, format_checker=FormatChecker())


def entries_of_valid_har(text: str) -> list[dict[str, Any]]:
    """Return the entries of a HAR document. Fails if the document is not valid."""
    document = json.loads(text)
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in _VALIDATOR.iter_errors(document)]
    assert not errors, "\n".join(errors[:5])
    entries: list[dict[str, Any]] = document["log"]["entries"]
    return entries
