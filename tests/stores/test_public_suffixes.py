"""Public suffixes, by Qt's list and by that of publicsuffixlist."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from blocking_request.stores import public_suffixes
from blocking_request.stores.public_suffixes import is_public_suffix


@pytest.fixture(params=["Qt", "publicsuffixlist"])
def whose_list(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    public_suffixes._installed_list.cache_clear()
    if request.param == "Qt":
        monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    yield request.param
    public_suffixes._installed_list.cache_clear()


@pytest.mark.usefixtures("whose_list")
@pytest.mark.parametrize("domain", ["com", "co.uk", "ck", "xn--p1ai", "xn--55qx5d.cn", "github.io"])
def test_public_suffix(domain: str) -> None:
    assert is_public_suffix(domain)


@pytest.mark.usefixtures("whose_list")
@pytest.mark.parametrize(
    "domain",
    [
        "example.org",
        "example.co.uk",
        "www.ck",
        "xn--bcher-kva.de",
        "xn--e1afmkfd.xn--p1ai",
        "xn--85x722f.xn--55qx5d.cn",
    ],
)
def test_domain_of_a_site(domain: str) -> None:
    """Its name, or its suffix, may be one outside ASCII."""
    assert not is_public_suffix(domain)


def test_whose_list_is_used(whose_list: str) -> None:
    assert (public_suffixes._installed_list() is None) == (whose_list == "Qt")
