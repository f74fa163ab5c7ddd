"""A server that wants NTLM (MS-NLMP): it takes every proof of the right user, and connections that have logged in."""

from __future__ import annotations

import base64
import struct
from typing import Optional

from .raw import Connection

SIGNATURE = b"NTLMSSP\0"
FLAGS = 0x00000201 | 0x00000001 | 0x00800000  # NTLM, Unicode, target info


def challenge() -> bytes:
    """Type 2 (section 2.2.1.2)."""
    target = "HOST".encode("utf-16-le")
    info = struct.pack("<HH", 1, len(target)) + target + struct.pack("<HH", 0, 0)
    at = 48
    message = SIGNATURE + struct.pack("<I", 2) + struct.pack("<HHI", len(target), len(target), at)
    message += struct.pack("<I", FLAGS) + b"12345678" + b"\0" * 8
    message += struct.pack("<HHI", len(info), len(info), at + len(target))
    return message + target + info


def user_of(message: bytes) -> str:
    """Of a type 3 (section 2.2.1.3)."""
    length, _, offset = struct.unpack("<HHI", message[36:44])
    return message[offset : offset + length].decode("utf-16-le")


def ntlm_server(user: str, realm: str = "NTLM"):  # type: ignore[no-untyped-def]
    """A handler for connections that answer with who has logged in."""

    def handle(connection: Connection) -> None:
        who: Optional[str] = None
        while (request := connection.read_request()) is not None:
            given = b""
            for line in request.split(b"\r\n"):
                if line.lower().startswith(b"authorization: ntlm "):
                    given = base64.b64decode(line.split(b" ")[2])
            if given[8:12] == struct.pack("<I", 3):
                who = user_of(given) if user_of(given) == user else None
            if who is not None:
                connection.respond(f"you are {who}".encode())
            elif given[8:12] == struct.pack("<I", 1):
                value = base64.b64encode(challenge()).decode()
                connection.respond(b"go on", "401 Unauthorized", f"WWW-Authenticate: NTLM {value}\r\n")
            else:
                connection.respond(b"who are you?", "401 Unauthorized", f"WWW-Authenticate: {realm}\r\n")

    return handle
