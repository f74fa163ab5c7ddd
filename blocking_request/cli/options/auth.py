"""The options of authentication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ... import AuthConfig, ErrorCode, ReplyContent
from ..passwords import ask_password
from .call_setup import CallSetup
from .sections import AUTHENTICATION, Command, decorated, option
from .values import READABLE_FILE, check_text, is_pipe


def auth_options(command: Command) -> Command:
    """Add the options of authentication to a command."""
    return decorated(
        command,
        [
            option(
                AUTHENTICATION,
                "-u",
                "--user",
                metavar="USER:PASSWORD",
                help="Send user and password (Basic). Without ':PASSWORD' the terminal asks for it. They are not sent "
                "to another origin after a redirect.",
            ),
            option(
                AUTHENTICATION,
                "--digest",
                is_flag=True,
                help="With -u: send a digest of the password, and only if the server asks for it.",
            ),
            option(
                AUTHENTICATION, "--bearer", "--oauth2-bearer", "bearer", metavar="TOKEN", help="Send this bearer token."
            ),
            option(
                AUTHENTICATION,
                "-n",
                "--netrc",
                is_flag=True,
                help="Read user and password from ~/.netrc, or from the file that NETRC names.",
            ),
            option(
                AUTHENTICATION,
                "--netrc-file",
                type=READABLE_FILE,
                metavar="FILE",
                help="Read user and password from this netrc file.",
            ),
        ],
    )


def apply_auth_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the credentials. Raises click.UsageError."""
    if values["user"] is not None and values["bearer"] is not None:
        raise click.UsageError("-u and --bearer exclude each other: give one of them")
    if values["digest"] and values["user"] is None:
        raise click.UsageError("--digest can only be used with -u")
    try:
        if values["user"] is not None:
            user, password = user_and_password(values["user"], "-u")
            setup.auth = AuthConfig.digest(user, password) if values["digest"] else AuthConfig.basic(user, password)
        if values["bearer"] is not None:
            check_text(values["bearer"], "value of --bearer")
            setup.auth = AuthConfig.bearer(values["bearer"])
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if values["netrc_file"] is not None:
        if is_pipe(values["netrc_file"]):
            raise click.UsageError("--netrc-file: a pipe can be read once only, and the file is read for each request")
        setup.manager.setNetrc(values["netrc_file"])
    elif values["netrc"]:
        setup.manager.setNetrc(True)


def with_auth_advice(text: str, reply: ReplyContent, values: Mapping[str, Any]) -> str:
    """Return the message about a failure. If the server wants credentials, it says which option to check."""
    if reply.statusCode() != 401 or reply.errorCode() is not ErrorCode.ServerExceptionError:
        return text
    if values["user"] is not None:
        return f"{text}: check the user and the password of -u"
    if values["bearer"] is not None:
        return f"{text}: check the token of --bearer"
    if values["netrc"] or values["netrc_file"] is not None:
        return f"{text}: check the entry of this host in the netrc file"
    return text


def user_and_password(text: str, name: str) -> tuple[str, str]:
    """Return the parts of ``USER:PASSWORD``; ask for a password that is missing. ``name``: the option.

    Raises click.UsageError if there is no terminal to ask on.
    """
    check_text(text, f"value of {name}")
    user, colon, password = text.partition(":")
    return user, password if colon else ask_password(f"Password of {user}", name)
