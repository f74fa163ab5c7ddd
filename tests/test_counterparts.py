"""The pages of Qt's classes name each function, signal and enum that the binding shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from blocking_request.qt.binding import QtCore, QtNetwork

DOCS = Path(__file__).parents[1] / "docs"


def names_of(kind: type, base: type) -> set[str]:
    """Return the names of a class, without those of its base and without the values of its enums."""
    own = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("__") and not hasattr(base, name)}
    enums = tuple(each for each in own.values() if isinstance(each, type))
    return {name for name, value in own.items() if not isinstance(value, enums)}


@pytest.mark.parametrize(
    ("page", "name", "base"),
    [
        ("qnetworkreply.rst", "QNetworkReply", QtCore.QIODevice),
        ("qnetworkreply.rst", "QRestReply", object),
        ("qnetworkaccessmanager.rst", "QNetworkAccessManager", QtCore.QObject),
        ("qnetworkaccessmanager.rst", "QRestAccessManager", QtCore.QObject),
        ("qnetworkrequest.rst", "QNetworkRequest", object),
        ("qnetworkrequest.rst", "QNetworkRequestFactory", object),
        ("qnetworkrequest.rst", "QHttpHeaders", object),
        ("qnetworkrequest.rst", "QHttp1Configuration", object),
        ("qnetworkrequest.rst", "QHttp2Configuration", object),
    ],
)
def test_page_has_each_name(page: str, name: str, base: type) -> None:
    kind = getattr(QtNetwork, name, None)
    if kind is None:
        pytest.skip(f"this Qt has no {name}")
    text = (DOCS / page).read_text("utf-8")
    on_page = set(re.findall(r"\w+", " ".join(re.findall(r"``([^`]*)``", text))))
    names = names_of(kind, base)
    assert len(names) > (30 if kind in (QtNetwork.QNetworkReply, QtNetwork.QNetworkAccessManager) else 2)
    assert names <= on_page


def test_page_has_each_attribute() -> None:
    kind = QtNetwork.QNetworkRequest
    text = (DOCS / "qnetworkrequest.rst").read_text("utf-8")
    on_page = set(re.findall(r"\w+", " ".join(re.findall(r"``([^`]*)``", text))))
    holders: tuple[Any, ...] = kind.Attribute, kind.CacheLoadControl, kind.LoadControl, kind.RedirectPolicy
    if hasattr(kind.Attribute, "__members__"):
        names = {name for holder in holders for name in holder.__members__}
    else:  # PyQt5: the members are names of the class
        names = {name for name in dir(kind) if isinstance(getattr(kind, name), holders)}
    assert len(names) > 30
    assert names <= on_page
