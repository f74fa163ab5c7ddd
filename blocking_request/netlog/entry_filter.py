"""The filter of a log: which entries have a text, a host or a status."""

from __future__ import annotations

from typing import Callable, Optional, Union

from .entry import NetworkEntry


def entry_filter(
    text: str = "", host: str = "", status: Union[int, str, None] = None
) -> Callable[[NetworkEntry], bool]:
    """Return a function that tells whether a call, or one of its requests, is wanted. ``NetworkLog.entries`` has the
    meaning of the arguments. Raises TypeError, ValueError if an argument is wrong.
    """
    if not isinstance(text, str) or not isinstance(host, str):
        raise TypeError(f"text and host must be str, not {type(text).__name__} and {type(host).__name__}")
    statuses = _checked_statuses(status)
    wanted, wanted_host = text.casefold(), host.lower()
    if not wanted and not wanted_host and statuses is None:
        return lambda entry: True
    return lambda entry: any(_matches(each, wanted, wanted_host, statuses) for each in (entry, *entry.children()))


def _checked_statuses(status: Union[int, str, None]) -> Optional[range]:
    if status is None:
        return None
    if isinstance(status, int) and not isinstance(status, bool):
        return range(status, status + 1)
    if not isinstance(status, str):
        raise TypeError(
            f'status must be a number such as 404, a class such as "4xx", or None, not {type(status).__name__}'
        )
    if len(status) == 3 and status.isdecimal():
        return range(int(status), int(status) + 1)
    digit, kind = status[:1], status[1:].lower()
    if not digit.isdecimal() or kind != "xx":
        raise ValueError(f'status must be a number such as 404, or a class such as "4xx", not {status!r}')
    return range(int(digit) * 100, int(digit) * 100 + 100)


def _matches(entry: NetworkEntry, text: str, host: str, statuses: Optional[range]) -> bool:
    if statuses is not None and entry.statusCode() not in statuses:
        return False
    if host and entry.host() != host and not (host.startswith("*.") and entry.host().endswith(host[1:])):
        return False
    shown = f"{entry.method()} {entry.url()} {entry.statusCode() or ''} {entry.errorString()}"
    return text in shown.casefold()
