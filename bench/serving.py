"""
The registrar as a process over loopback, beside the trivial server on the same transport.

The figure is CPU time of the server process for each operation, by the kernel's account.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import Any

from rserpool.security.certificate import make
from rserpool.wire import asap, policies
from rserpool.wire.parameters import PoolElement, TCPTransport

PER_POOL = 10
WANTED = 3
#: Connections, and requests outstanding on each.
SHAPES = ((32, 1), (1, 16), (1, 64))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.0"))


def handle(number: int) -> bytes:
    """The handle of a pool."""
    return b"pool-%06d" % number


def registration(number: int) -> bytes:
    """The registration of an element."""
    element = PoolElement(
        identifier=number + 1,
        life=86400,
        user_transport=TCPTransport(port=80, addresses=(ip_address("127.0.0.1"),)),
        policy=policies.RoundRobin(),
    )
    return asap.encode(asap.Registration(handle=handle(number // PER_POOL), element=element))


def answer() -> bytes:
    """A resolution's answer, as long as the registrar's are."""
    element = PoolElement(
        identifier=1,
        home=1,
        life=86400,
        user_transport=TCPTransport(port=80, addresses=(ip_address("127.0.0.1"),)),
        policy=policies.RoundRobin(),
    )
    return asap.encode(
        asap.HandleResolutionResponse(
            handle=handle(0), policy=policies.RoundRobin(), elements=(element,) * WANTED
        )
    )


class Server:
    """A process under load."""

    def __init__(
        self, name: str, command: list[str], port: int, client: tuple[str, str] | None
    ) -> None:
        self.name = name
        self.port = port
        self.client = client
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"{name} doesn't start: {' '.join(command)}")
            time.sleep(0.1)

    def cpu(self) -> float:
        """Seconds of CPU time that it has used."""
        text = Path(f"/proc/{self.process.pid}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    def memory(self) -> int:
        """Octets of memory that it has now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def load(
        self,
        shape: tuple[int, int],
        requests: list[bytes],
        size: int,
        *,
        prepare: tuple[bytes, ...] | list[bytes] = (),
        own: bool = False,
        seconds: float = SECONDS,
    ) -> dict[str, float]:
        """Load it for a time; microseconds of CPU for each operation, and more."""
        spec = {
            "port": self.port, "tls": bool(self.client), "client": self.client,
            "connections": shape[0], "window": shape[1], "size": size,
            "prepare_size": len(registered()), "seconds": seconds, "own": own,
            "requests": [request.hex() for request in requests],
            "prepare": [request.hex() for request in prepare],
        }  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as loader:
            assert loader.stdin is not None
            assert loader.stdout is not None
            loader.stdin.write(json.dumps(spec) + "\n")
            loader.stdin.flush()
            if loader.stdout.readline() != "ready\n":
                raise SystemExit(f"the load on {self.name} failed")
            before = self.cpu()
            loader.stdin.write("go\n")
            loader.stdin.flush()
            figures = json.loads(loader.stdout.readline())
            used = self.cpu() - before
        return {
            "us": used / figures["operations"] * 1e6,
            "rate": figures["operations"] / figures["seconds"],
            "p50": figures["p50"],
            "p99": figures["p99"],
            "max": figures["max"],
        }


def registered() -> bytes:
    """The answer to a registration."""
    return asap.encode(asap.RegistrationResponse(handle=handle(0), identifier=1))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def servers(sizes: list[int]) -> Iterator[dict[str, Server]]:
    """The trivial server and a registrar for each size, plain and with TLS."""
    started: dict[str, Server] = {}
    with tempfile.TemporaryDirectory() as scratch:
        authority = make.authority("bench")
        files = f"{scratch}/cert.pem", f"{scratch}/key.pem"
        client = f"{scratch}/client.pem", f"{scratch}/client.key"
        make.write(authority, f"{scratch}/ca.pem", f"{scratch}/ca.key")
        make.write(make.issue(authority, ["localhost"]), *files)
        make.write(make.issue(authority, ["pe.example"], client=True), *client)
        try:
            for kind, shown, proof in (("plain", None, None), ("tls", files, client)):
                port = free_port()
                command = [sys.executable, "-m", "bench.trivial", str(port), answer().hex()]
                name = f"trivial {kind}"
                started[name] = Server(name, [*command, *(shown or ())], port, proof)
                for size in sizes:
                    port = free_port()
                    name = f"registrar {kind} {size}"
                    command = _registrar(port, shown, f"{scratch}/ca.pem")
                    started[name] = Server(name, command, port, proof)
            yield started
        finally:
            for server in started.values():
                server.process.kill()
                server.process.wait()


def _registrar(port: int, files: tuple[str, str] | None, ca: str) -> list[str]:
    """The command of a registrar, with gate and limits on, out of reach of this load."""
    sets = {
        "timers.keep-alive-interval": 36000, "timers.keep-alive-timeout": 36000,
        "limits.resolutions-per-second": 1e7, "limits.resolutions-burst": 1e7,
        "limits.registrations-per-second": 1e7, "limits.registrations-burst": 1e7,
        "limits.connections-per-address": 1000, "limits.pools": 1_000_000,
        "limits.elements-per-principal": 10_000_000,
    }  # fmt: skip
    options = [f"--set={key}={value}" for key, value in sets.items()]
    where = f"tcp:{port}:interface=127.0.0.1"
    if files is None:
        options += ["--security=none", f"--asap={where}"]
    else:
        options += [
            f"--asap-tls={where}", f"--certificate={files[0]}", f"--private-key={files[1]}",
            f"--auth=certificate:{ca}",
        ]  # fmt: skip
    twistd = str(Path(sys.executable).parent / "twistd")
    return [twistd, "-n", "--pidfile=", "rserpool-enrp", *options]


def measure(sizes: list[int]) -> dict[str, Any]:
    """All figures, the sizes of the handlespace side by side."""
    figures: dict[str, list[dict[str, float]]] = {}
    filling: dict[str, dict[str, float]] = {}

    def note(name: str, shape: tuple[int, int], found: dict[str, float]) -> None:
        figures.setdefault(f"{name} c{shape[0]} w{shape[1]}", []).append(found)

    with servers(sizes) as running:
        for size in sizes:
            for kind in ("plain", "tls"):
                server = running[f"registrar {kind} {size}"]
                before = server.memory()
                stall = filled(server, registrations(size), questions(size), note)
                filling[server.name] = {
                    "bytes an element": (server.memory() - before) / size,
                    "longest answer meanwhile, ms": stall * 1e3,
                }
        for _ in range(ROUNDS):
            for shape in SHAPES:
                for name, server in running.items():
                    size = sizes[0] if "trivial" in name else int(name.split()[-1])
                    found = server.load(shape, questions(size), len(answer()))
                    note(f"resolve {name}", shape, found)
                    if "registrar" in name:
                        mine = registrations(1000)
                        found = server.load(
                            shape, mine, len(registered()), prepare=mine, own=True
                        )
                        note(f"renew {name}", shape, found)
    return {
        "sizes": sizes,
        "filling": filling,
        "figures": {
            name: {key: _median(found, key) for key in found[0]}
            for name, found in figures.items()
        },
    }


@cache
def registrations(size: int) -> list[bytes]:
    """The registrations of so many elements."""
    return [registration(number) for number in range(size)]


@cache
def questions(size: int) -> list[bytes]:
    """A resolution of each of their pools."""
    return [
        asap.encode(asap.HandleResolution(handle=handle(number), items=WANTED))
        for number in range(size // PER_POOL)
    ]


def filled(
    server: Server,
    members: list[bytes],
    asked: list[bytes],
    note: Callable[[str, tuple[int, int], dict[str, float]], None],
) -> float:
    """
    Fill a registrar by first registrations, 64 outstanding, and note what each costs.

    :return: the longest time that another client has waited for an answer meanwhile.
    """
    first, rest = members[:PER_POOL], members[PER_POOL:]
    server.load((1, 1), asked[:1], len(answer()), prepare=first, seconds=0.1)
    before = server.cpu()
    began = time.monotonic()
    longest: list[float] = []

    def watch() -> None:
        while not done.is_set():
            found = server.load((1, 1), asked[:1], len(answer()), seconds=0.5)
            longest.append(found["max"])

    done = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    server.load((1, 1), asked[:1], len(answer()), prepare=rest, seconds=0.1)
    done.set()
    watcher.join()
    # What the questions cost meanwhile is in the figure as well: a few percent.
    used = server.cpu() - before
    note(
        f"register {server.name} (first, asked beside)",
        (1, 64),
        {"us": used / len(rest) * 1e6, "rate": len(rest) / (time.monotonic() - began),
         "p50": None, "p99": None, "max": None},
    )  # fmt: skip
    return max(longest)


def _median(found: list[dict[str, float]], key: str) -> float | None:
    values = [one[key] for one in found if one[key] is not None]
    return median(values) if values else None
