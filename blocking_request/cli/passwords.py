"""The passwords of profiles, in the keyring of the system."""

from __future__ import annotations

from typing import Any

import click

from .. import AuthConfig, AuthRegistry
from .config_file import PROFILES, ConfigFile


def password_of(profile: str, user: str, file: ConfigFile) -> str:
    """Return ``user:password`` for the ``user`` of a profile, with the password from the keyring.

    If the value has a password already, return it. Raises click.UsageError, and OSError if the keyring cannot be read.
    """
    if ":" in user:
        return user
    config = _in_keyring(lambda: _registry().load(profile))
    key = f"{PROFILES}.{profile}.user"
    if config is None:
        advice = f"run 'blocking-request config set-password {profile}'"
        raise file.error(key, f"has no password in the keyring: {advice}")
    if config.user != user:
        raise file.error(key, f"is {user!r}: the keyring has the password of another user for this profile")
    return f"{user}:{config.secret}"


def store_password(profile: str, user: str, password: str) -> None:
    """Write the password of a profile into the keyring. Raises click.UsageError, OSError, ValueError."""
    _in_keyring(lambda: _registry().store(AuthConfig.basic(user, password), profile))


def delete_password(profile: str) -> bool:
    """Delete the password of a profile. Return whether there was one. Raises click.UsageError, OSError."""
    return bool(_in_keyring(lambda: _registry().remove(profile)))


def _registry() -> AuthRegistry:
    try:
        return AuthRegistry(keyring=True)
    except ImportError as error:
        raise click.UsageError(str(error)) from None


def _in_keyring(action: Any) -> Any:
    """Do something with the keyring. Raises OSError if it has none that can be used, or is locked."""
    try:
        return action()
    except (click.ClickException, ValueError, TypeError):
        raise
    except Exception as error:  # keyring and its backends have many
        raise OSError(f"The keyring cannot be used: {error}") from None
