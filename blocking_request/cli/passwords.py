"""The passwords of profiles, in the keyring of the system."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import click

from .. import AuthConfig, AuthRegistry
from ..models.redaction import printable
from .config_file import PROFILES, ConfigFile
from .messages import PROGRAM


def password_of(profile: str, user: str, file: ConfigFile) -> str:
    """Return ``user:password`` for the ``user`` of a profile, with the password from the keyring.

    If the value has a password already, return it. Raises click.UsageError, and OSError if the keyring cannot be read.
    """
    if ":" in user:
        return user
    config = _in_keyring(lambda: _registry().load(profile))
    key = f"{PROFILES}.{profile}.user"
    if config is None:
        advice = f"run '{PROGRAM} config set-password {profile}'"
        raise file.error(key, f"has no password in the keyring: {advice}")
    if config.user != user:
        raise file.error(key, f"is {user!r}: the keyring has the password of another user for this profile")
    return f"{user}:{config.secret}"


def store_password(profile: str, user: str, password: str) -> None:
    """Write the password of a profile into the keyring. Raises click.UsageError, OSError, ValueError."""
    config = AuthConfig.basic(user, password)
    _in_keyring(lambda: _registry().store(config, profile))
    if _in_keyring(lambda: _registry().load(profile)) != config:
        raise OSError("The keyring has not kept the password: look at its settings with 'keyring diagnose'")


def delete_password(profile: str) -> bool:
    """Delete the password of a profile. Return whether there was one. Raises click.UsageError, OSError."""
    return bool(_in_keyring(lambda: _registry().remove(profile)))


def check_keyring() -> None:
    """Raise click.UsageError if the package of the keyring is not installed."""
    _registry()


def ask_password(question: str, name: str) -> str:
    """Ask for a password on the terminal, which does not show it. ``name``: the option or command that needs it.

    Raises click.UsageError if there is no terminal.
    """
    if not _has_terminal():
        raise click.UsageError(f"{name}: the password is missing, and there is no terminal to ask for it")
    try:
        # The name of the user must not control the terminal.
        answer: str = click.prompt(printable(question), hide_input=True, default="", show_default=False, err=True)
    except UnicodeDecodeError:
        raise click.UsageError("the password is not UTF-8 text") from None
    return answer


def _has_terminal() -> bool:
    """Return whether the process has a terminal. It need not be standard input, which may be the body."""
    with suppress(OSError):
        os.close(os.open(os.ctermid() if hasattr(os, "ctermid") else "CONIN$", os.O_RDWR))
        return True
    return False


def _registry() -> AuthRegistry:
    try:
        return AuthRegistry(keyring=True)
    except ImportError as error:
        raise click.UsageError(str(error)) from None


def _in_keyring(action: Any) -> Any:
    """Do something with the keyring. Raises OSError if it has none that can be used, or is locked."""
    try:
        return action()
    except click.ClickException:
        raise
    except Exception as error:  # keyring and its backends have many
        is_missing = type(error).__name__ == "NoKeyringError"  # whose text has three sentences about packages
        problem = "the system has none" if is_missing else " ".join(str(error).split()).rstrip(".")
        advice = "unlock it or set it up, or give the password with -u"
        raise OSError(f"The keyring cannot be used ({problem or type(error).__name__}): {advice}") from None
