"""A ClientHello taken apart, given other identities, and put together again."""

import struct

_PRE_SHARED_KEY = b"\x00\x29"


def with_identities(record: bytes, identities: list[bytes]) -> bytes:
    """
    Return a ClientHello (one TLS record) that offers these identities.

    Their binders are those of nobody: none proves anything (RFC 8446 section 4.2.11).
    """
    body = record[9:]  # behind the headers of record and handshake message
    at = 2 + 32  # version and random
    at += 1 + body[at]  # session id
    at += 2 + int.from_bytes(body[at : at + 2])  # suites
    at += 1 + body[at]  # compression
    extensions, place = body[at + 2 :], 0
    while extensions[place : place + 2] != _PRE_SHARED_KEY:
        place += 4 + int.from_bytes(extensions[place + 2 : place + 4])
    kept = extensions[:place] + _extension(identities)
    return _record(body[:at] + struct.pack(">H", len(kept)) + kept)


def _extension(identities: list[bytes]) -> bytes:
    names = b"".join(struct.pack(">H", len(i)) + i + bytes(4) for i in identities)
    binders = (b"\x20" + bytes(32)) * len(identities)
    data = struct.pack(">H", len(names)) + names + struct.pack(">H", len(binders)) + binders
    return _PRE_SHARED_KEY + struct.pack(">H", len(data)) + data


def _record(body: bytes) -> bytes:
    message = b"\x01" + len(body).to_bytes(3) + body
    # A record holds 16 KiB (RFC 8446 section 5.1); a long hello goes in several.
    parts = [message[i : i + 16384] for i in range(0, len(message), 16384)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part for part in parts)
