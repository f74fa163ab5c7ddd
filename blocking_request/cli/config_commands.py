"""The commands below ``config``."""

from __future__ import annotations

import sys

import click

from .config_file import PROFILES, config_path, read_config
from .messages import EXIT_STATUSES
from .options.sections import SectionedCommand
from .passwords import ask_password, check_keyring, delete_password, store_password


@click.command("path", cls=SectionedCommand, epilog=EXIT_STATUSES)
def _config_path() -> int:
    """Show the path of the configuration file, which need not exist."""
    click.echo(str(config_path()))
    return 0


@click.command("set-password", cls=SectionedCommand, epilog=EXIT_STATUSES)
@click.argument("profile")
def _set_password(profile: str) -> int:
    """Ask for the password of the user of a PROFILE, and write it into the keyring of the system.

    If standard input is not a terminal, its first line is the password.
    """
    user = read_config().profile(profile).get("user")
    if not isinstance(user, str) or not user or ":" in user:
        raise click.UsageError(f'{PROFILES}.{profile} needs user = "NAME", a user without a password')
    check_keyring()
    password = _asked_password(user)
    if not password:
        raise click.UsageError("the password is empty")
    store_password(profile, user, password)
    return 0


def _asked_password(user: str) -> str:
    if sys.stdin.isatty():
        return ask_password(f"Password of {user}", "set-password")
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except OSError as error:
        raise OSError(error.errno, f"Standard input cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError("the password is not UTF-8 text") from None


@click.command("delete-password", cls=SectionedCommand, epilog=EXIT_STATUSES)
@click.argument("profile")
def _delete_password(profile: str) -> int:
    """Delete the password of a PROFILE from the keyring."""
    if not delete_password(profile):
        raise click.UsageError(f"the keyring has no password of the profile {profile!r}")
    return 0


CONFIG_COMMANDS = (_config_path, _set_password, _delete_password)
