"""
The load generator, in a process of its own: plain sockets and epoll, no Twisted.

``python -m bench.load`` reads a specification as JSON from its input and prints figures as
JSON.  Answers must all be of one size, so that counting them is a division.
"""

import json
import random
import select
import socket
import ssl
import sys
import time
from typing import Any


class Line:
    """One connection."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: Any = context.wrap_socket(plain) if context else plain
        self.rest = 0
        self.began: list[float] = []

    def exchange(self, messages: list[bytes], size: int, at_once: int = 64) -> None:
        """Send messages and wait for as many answers, a few at a time."""
        for start in range(0, len(messages), at_once):
            part = messages[start : start + at_once]
            self.socket.sendall(b"".join(part))
            left = size * len(part)
            while left:
                got = len(self.socket.recv(min(left, 65536)))
                if not got:
                    raise SystemExit("the server hung up")
                left -= got


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Prepare, then load for a time; figures of the second part."""
    context = None
    if spec["tls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(*spec["client"])
    count, window, size = spec["connections"], spec["window"], spec["size"]
    lines = [Line(spec["port"], context) for _ in range(count)]
    requests = [bytes.fromhex(text) for text in spec["requests"]]
    prepare = [bytes.fromhex(text) for text in spec["prepare"]]
    shares = [requests[i::count] if spec["own"] else requests for i in range(count)]
    for i, line in enumerate(lines):
        line.exchange(prepare[i::count], spec["prepare_size"])
    print("ready", flush=True)
    sys.stdin.readline()
    return _loop(lines, shares, window, size, spec["seconds"])


def _loop(
    lines: list[Line], shares: list[list[bytes]], window: int, size: int, seconds: float
) -> dict[str, Any]:
    poll = select.epoll()
    by_number = {}
    pick = random.Random(7).choice
    for line, share in zip(lines, shares, strict=True):
        line.socket.setblocking(False)
        poll.register(line.socket.fileno(), select.EPOLLIN)
        by_number[line.socket.fileno()] = (line, share)
        line.socket.sendall(b"".join(pick(share) for _ in range(window)))
        line.began = [time.perf_counter()]
    done, times = 0, []
    start = now = time.perf_counter()
    end = start + seconds
    while now < end:
        for number, _ in poll.poll(1.0):
            line, share = by_number[number]
            got = _received(line)
            now = time.perf_counter()
            line.rest += got
            answers, line.rest = divmod(line.rest, size)
            if not answers:
                continue
            done += answers
            if window == 1:
                times.append(now - line.began[0])
                line.began[0] = now
                line.socket.send(pick(share))
            else:
                line.socket.sendall(b"".join([pick(share) for _ in range(answers)]))
        now = time.perf_counter()
    times.sort()
    return {
        "operations": done,
        "seconds": now - start,
        "p50": times[len(times) // 2] if times else None,
        "p99": times[len(times) * 99 // 100] if times else None,
        "max": times[-1] if times else None,
    }


def _received(line: Line) -> int:
    try:
        data = line.socket.recv(262144)
    except (ssl.SSLWantReadError, BlockingIOError):
        return 0
    if not data:
        raise SystemExit("the server hung up")
    got = len(data)
    if isinstance(line.socket, ssl.SSLSocket):
        while line.socket.pending():
            got += len(line.socket.recv(262144))
    return got


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.stdin.readline()))), flush=True)
