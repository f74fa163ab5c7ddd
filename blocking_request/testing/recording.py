"""Recording: real exchanges in a file, replayed in the place of the network."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, Optional, Union

from ..engines import choice
from ..engines.clock import clock_users
from .exchanges import Exchanges, MatchRules
from .recording_engine import RecordingEngine

MODES = ("once", "none", "all", "new")


class Recording:
    """Records the exchanges of a test in a file, and replays them in later runs, without a network::

        with Recording("tests/recordings/items.har"):
            ...

    The file has the format HAR 1.2, which browsers and HAR viewers open. It has one line for each exchange. Secrets are
    removed before they are written: credentials and cookies, and the values of secret names (``setSecretParameters``)
    in URLs, header fields, forms, JSON and XML, also if the server repeats them. Look at the file before you publish
    it: a secret that nothing tells to be one stays.

    As ``FakeReplies``, it serves all requests of the process below all policies, from every thread, until the block
    ends. Redirects, retries and the answers to challenges are exchanges of their own. Each recorded exchange is
    replayed once, to a request with the same method, URL and body, in the order of the file. A request without one
    fails with ``NetworkError``, and a sentence that says what to do.

    While it records, the engine ``python`` sends the requests, so NTLM, Negotiate and requests by QGIS's own manager
    cannot be recorded. A request that the caller cancels, or that times out, is recorded as one without an end: in its
    replay, it times out or is cancelled again, or fails with ``CanceledError``. A body of a response of more than 64 MB
    is not recorded. If it only replays, times are virtual, as those of ``FakeReplies``.
    """

    def __init__(
        self,
        path: Union[str, os.PathLike[str]],
        mode: str = "once",
        *,
        matchHeaders: Iterable[str] = (),
        matchBody: bool = True,
        allowRepeats: bool = False,
        secretParameters: Iterable[str] = (),
        filter: Optional[Callable[[dict[str, Any]], Optional[dict[str, Any]]]] = None,
    ) -> None:
        """``path``: the file. Its folder is created when it is written, at the end of the block.

        ``mode``: ``"once"``: replay if the file exists, otherwise record. ``"none"``: replay only; if the file does not
        exist, every request fails. ``"new"``: replay, and record the requests that are not in the file. ``"all"``:
        record all, and replace the file. If another process writes the file within the block, its exchanges stay.

        ``matchHeaders``: the names of header fields that must be equal, too. ``matchBody``: whether the body must be. A
        body that is read from a file or an iterable is not recorded; only its size is compared. ``allowRepeats``:
        whether the last exchange that matches is replayed any number of times. ``secretParameters``: further secret
        names, as in ``NetworkAccessManager.setSecretParameters``. ``filter``: a function that is called with each
        exchange before it is kept, as an object of HAR's ``entries`` without secrets. It returns the entry to keep, or
        None to leave it out. The call of the code under test raises its exceptions, and TypeError or ValueError if it
        returns anything else.

        Raises TypeError or ValueError if an argument is wrong.
        """
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, not {mode!r}")
        if filter is not None and not callable(filter):
            raise TypeError(f"filter must be a function, not {type(filter).__name__}")
        for name, value in (("matchBody", matchBody), ("allowRepeats", allowRepeats)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
        self._path = Path(path)
        self._mode = mode
        self._filter = filter
        self._rules = MatchRules(
            headers=frozenset(name.lower() for name in _names(matchHeaders, "matchHeaders")),
            body=matchBody,
            repeats=allowRepeats,
            redacted_names=_names(secretParameters, "secretParameters"),
        )
        self._guard = threading.Lock()
        self._exchanges = Exchanges(self._path, self._rules, filter)
        self._engine: Optional[RecordingEngine] = None
        """The engine that serves, within the block."""
        self._is_recording = False

    # -- what it has done

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def mode(self) -> str:
        """The mode."""
        return self._mode

    @property
    def isRecording(self) -> bool:
        """Whether requests may be sent and recorded. False: it only replays."""
        return self._is_recording

    @property
    def playedCount(self) -> int:
        """How many exchanges were replayed."""
        return self._exchanges.played_count

    @property
    def recordedCount(self) -> int:
        """How many exchanges were recorded."""
        return len(self._exchanges.recorded)

    @property
    def allPlayed(self) -> bool:
        """Whether each exchange of the file was replayed."""
        return self._exchanges.are_all_played

    @property
    def unmatched(self) -> list[str]:
        """The requests that had no exchange to replay, and were not recorded: method and URL, without secrets."""
        return self._exchanges.unmatched[:]

    # -- the block

    def start(self) -> Recording:
        """Begin to serve all requests of the process, as on entering the block. Return this object.

        Raises ValueError if the file cannot be read as HAR, RuntimeError if it serves already.
        """
        with self._guard:
            if self._engine is not None:
                raise RuntimeError("this Recording serves already: call stop() first, or make another one")
            exists = self._path.exists()
            exchanges = Exchanges(self._path, self._rules, self._filter)
            if exists and self._mode != "all":
                exchanges.read()
            self._exchanges = exchanges
            self._is_recording = self._mode in ("all", "new") or (self._mode == "once" and not exists)
            self._engine = RecordingEngine(exchanges, self._mode, self._is_recording)
            choice.stand_ins.append(self._engine)
            if not self._is_recording:
                clock_users.append((self, True))
        return self

    def stop(self) -> None:
        """Serve no more requests, and write the file if there are new exchanges. May be called again."""
        with self._guard:
            engine, self._engine = self._engine, None
            if engine is None:
                return
            choice.stand_ins.remove(engine)
            if (self, True) in clock_users:
                clock_users.remove((self, True))
        engine.shutdown()
        self._exchanges.write()

    def __enter__(self) -> Recording:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Recording {str(self._path)!r}, mode {self._mode!r}>"


def _names(names: Iterable[str], argument: str) -> tuple[str, ...]:
    """Return names of header fields or parameters. Raises TypeError."""
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise TypeError(f"{argument} must be a list of names, not {type(names).__name__}")
    listed = tuple(names)
    if not all(isinstance(name, str) for name in listed):
        raise TypeError(f"{argument} must be a list of str")
    return listed
