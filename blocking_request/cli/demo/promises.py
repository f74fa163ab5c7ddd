"""The six promises of the demonstration, in the order in which they are tried."""

from __future__ import annotations

from .download import try_download
from .outcomes import try_outcomes
from .promise import Promise
from .qt_alone import try_main_thread, try_truncated_body
from .threads import CANCEL_MS, THREADS, try_cancel, try_threads

PROMISES = (
    Promise(
        "outcomes",
        "Each call returns a code that says how it ended. An HTTP error, a failure of the network and a timeout have "
        "different codes.",
        try_outcomes,
    ),
    Promise(
        "threads",
        f"Any thread may call get(). If {THREADS} threads do it at the same moment, each gets its own response.",
        try_threads,
    ),
    Promise("cancel", f"A cancel from another thread ends get() within {CANCEL_MS} ms.", try_cancel),
    Promise(
        "main thread",
        "While get() blocks the main thread, no timer, event or slot of the program runs.",
        try_main_thread,
    ),
    Promise(
        "truncated body",
        "A body that breaks off is an error, also in the middle of compressed data.",
        try_truncated_body,
    ),
    Promise(
        "download",
        "A file appears when it is complete and has the right checksum. Progress is reported in the calling thread.",
        try_download,
    ),
)
