"""
Messages of the reference implementation (rsplib 3.4.4), as they were on the wire.

A file a capture; a line a message: its protocol, its octets, and how Wireshark reads it.
Every different message of ENRP is there, and of ASAP some of each kind.
"""

from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def vectors(but: str = "") -> Iterator[tuple[str, bytes]]:
    """Protocol and octets of every message, but those of one capture."""
    for path in sorted(HERE.glob("*.hex")):
        if path.stem == but:
            continue
        for line in path.read_text().splitlines():
            protocol, octets, *_ = line.split(" ", 2)
            yield protocol, bytes.fromhex(octets)
