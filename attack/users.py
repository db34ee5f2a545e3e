"""
Honest pool users: ``python -m attack.users``, a specification as JSON on standard input.

Each resolves once a second, most on a connection that they keep, some by a new one each time.
Written without the package's client: the standard library's TLS, and octets.
"""

import asyncio
import json
import ssl
import struct
import sys
import time
from typing import Any

_HEADER = struct.Struct("!BBH")
#: Seconds after which an answer counts as none.
PATIENCE = 5.0
_RESPONSE, _ELEMENT, _ERROR = 6, 0x000A, 0x000C


class Count:
    """What became of all requests."""

    def __init__(self, expected: list[int]) -> None:
        self.expected = set(expected)
        self.latencies: list[float] = []
        self.connecting: list[float] = []
        self.asked = self.refused = self.unanswered = self.missed = 0

    def answered(self, body: bytes, began: float) -> None:
        """One has been answered: with all elements?"""
        found = set(elements(body))
        if not found:
            self.refused += 1
            return
        self.latencies.append(time.perf_counter() - began)
        self.missed += not self.expected <= found


def request(handle: bytes) -> bytes:
    """An ASAP_HANDLE_RESOLUTION."""
    parameter = struct.pack("!HH", 9, 4 + len(handle)) + handle
    padded = parameter + bytes(-len(parameter) % 4)
    return _HEADER.pack(5, 0, 4 + len(parameter)) + padded


def elements(body: bytes) -> list[int]:
    """The identifiers of the elements in a response's parameters."""
    found, at = [], 0
    while at + 4 <= len(body):
        kind, length = struct.unpack_from("!HH", body, at)
        if kind == _ELEMENT:
            found.append(struct.unpack_from("!I", body, at + 4)[0])
        at += max(length + 3 & ~3, 4)
    return found


class Lines:
    """Connections of one user, from an address of its own."""

    def __init__(self, spec: dict[str, Any], number: int) -> None:
        self._port = spec["port"]
        self._source = f"127.0.2.{number + 1}"
        self._tls = ssl.create_default_context(cafile=spec["ca"])
        self._request = request(spec["pool"].encode())

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        return await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._tls, local_addr=(self._source, 0)
        )

    async def ask(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
        """Resolve once; the parameters of the answer."""
        reader, writer = line
        writer.write(self._request)
        kind, _, length = _HEADER.unpack(await reader.readexactly(4))
        body = await reader.readexactly((length + 3 & ~3) - 4)
        return body if kind == _RESPONSE else b""


async def keeps(lines: Lines, count: Count, end: float, offset: float) -> None:
    """One that keeps its connection, and connects again when it has lost it."""
    await asyncio.sleep(offset)
    line = None
    while time.monotonic() < end:
        wait = asyncio.sleep(1.0)
        count.asked += 1
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                if line is None:
                    line = await lines.open()
                    began = time.perf_counter()
                count.answered(await lines.ask(line), began)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            count.unanswered += 1
            line = None
        await wait
    if line is not None:
        line[1].close()


async def comes_anew(lines: Lines, count: Count, end: float, offset: float) -> None:
    """One that connects for each request."""
    await asyncio.sleep(offset)
    while time.monotonic() < end:
        wait = asyncio.sleep(1.0)
        count.asked += 1
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                line = await lines.open()
                count.connecting.append(time.perf_counter() - began)
                began = time.perf_counter()
                count.answered(await lines.ask(line), began)
                line[1].close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            count.unanswered += 1
        await wait


async def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Use the registrar for so long, and count."""
    count = Count(spec["expected"])
    end = time.monotonic() + spec["seconds"]
    kept, anew = spec["kept"], spec["anew"]
    tasks = [
        (keeps if number < kept else comes_anew)(
            Lines(spec, number), count, end, number / (kept + anew)
        )
        for number in range(kept + anew)
    ]
    await asyncio.gather(*tasks)
    return {
        "asked": count.asked, "served": len(count.latencies), "refused": count.refused,
        "unanswered": count.unanswered, "missed": count.missed,
        "latencies": count.latencies, "connecting": count.connecting,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(json.load(sys.stdin)))))
