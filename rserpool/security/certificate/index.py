"""What an authority of one's own has issued: one line of JSON for each certificate."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509

from rserpool.security.atomic import exclusively, replace
from rserpool.security.certificate.name import names, valid_from, valid_until, when

#: The file beside ``ca.pem``.
NAME = "issued.jsonl"


@attrs.frozen
class Entry:
    """One certificate."""

    serial: int
    names: tuple[str, ...]
    kind: str  # ``client`` or ``registrar``
    begin: str
    end: str


def record(directory: str | os.PathLike[str], certificate: bytes, kind: str) -> None:
    """
    Write down a certificate that was issued.

    :param certificate: PEM.
    :raise OSError: it could not be written.
    """
    path = os.path.join(directory, NAME)
    found = x509.load_pem_x509_certificates(certificate)[0]
    line = json.dumps({
        "serial": f"{found.serial_number:x}",
        "names": names(found),
        "for": kind,
        "valid-from": when(valid_from(found)),
        "valid-until": when(valid_until(found)),
    })  # fmt: skip
    with exclusively(path):
        before = Path(path).read_bytes() if os.path.exists(path) else b""
        replace(path, before + line.encode() + b"\n", 0o600)


def recorded(directory: str | os.PathLike[str]) -> tuple[Entry, ...] | None:
    """
    Return what was issued; None: nobody has written it down.

    :raise ValueError: with the line that can't be read.
    """
    path = os.path.join(directory, NAME)
    if not os.path.exists(path):
        return None
    return tuple(_entries(path, Path(path).read_text().splitlines()))


def _entries(path: str, lines: list[str]) -> Iterable[Entry]:
    for number, line in enumerate(lines, 1):
        try:
            value: dict[str, Any] = json.loads(line)
            yield Entry(
                int(value["serial"], 16), tuple(value["names"]), str(value["for"]),
                str(value["valid-from"]), str(value["valid-until"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}:{number}: can't be read") from None
