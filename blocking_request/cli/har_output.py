"""``--har``: writes the calls of a command into a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Optional

import click

from .._first_use import first_use
from ..trace import recording
from .devices import descriptor_of
from .messages import show_message
from .output_settings import output_settings

if TYPE_CHECKING:
    from ..netlog.har_file import HarFile

HAR_BODY_BYTES = 1 << 20
"""How many bytes of each body ``--har`` writes."""


@contextmanager
def har_output() -> Iterator[Optional[HarFile]]:
    """Write the calls of the block into the file of --har, if it is given. The first call that ends replaces the file.

    Enter it when all other values are known to be valid: a command that sends nothing must not touch the file. Raises
    OSError if the file cannot be written.
    """
    path = output_settings().har
    if path is None:
        yield None
        return
    if descriptor_of(path) is not None:
        raise click.UsageError(f"--har: give the name of a file; requests are not written to {path}")
    with first_use:
        from ..netlog.har_file import HarFile
    file = HarFile(path, HAR_BODY_BYTES)
    try:
        file.reserve()
    except OSError as error:
        raise OSError(error.errno, f"the calls cannot be written (--har): {error.strerror}", path) from None
    if file.path != path:
        show_message(f"Another process is writing {path}: the calls are written to {file.path}")
    try:
        with recording(file):
            yield file
    finally:
        file.release()
