"""
Messages of the reference implementation (rsplib 3.4.4), as they were on the wire.

A file a capture; a line a message: its protocol, its octets, and how Wireshark reads it.
"""

from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def vectors() -> Iterator[tuple[str, bytes]]:
    """Protocol and octets of every message."""
    for path in sorted(HERE.glob("*.hex")):
        for line in path.read_text().splitlines():
            protocol, octets, *_ = line.split(" ", 2)
            yield protocol, bytes.fromhex(octets)
