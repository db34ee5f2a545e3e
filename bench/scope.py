"""
A scope of registrars as processes over loopback: synchronization, updates, takeover.

The figures are CPU time by the kernel's account, and the longest time that a client who
resolves all the while has waited for an answer.
"""

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.serving import Server, answer, free_port, questions, registered, registrations

#: Of takeovers: the others are as ever.
_SOON = {
    "timers.peer-heartbeat-cycle": 1, "timers.max-time-last-heard": 3,
    "timers.max-time-no-response": 1, "timers.rehome-timeout": 3600,
}  # fmt: skip
_OUT_OF_REACH = {
    "timers.keep-alive-interval": 36000, "timers.keep-alive-timeout": 36000,
    "limits.resolutions-per-second": 1e7, "limits.resolutions-burst": 1e7,
    "limits.registrations-per-second": 1e7, "limits.registrations-burst": 1e7,
    "limits.connections-per-address": 1000, "limits.pools": 1_000_000,
    "limits.peer-updates-per-second": 0, "limits.peer-tables-per-second": 0,
    "limits.elements-per-principal": 10_000_000,
}  # fmt: skip


class Registrar(Server):
    """One registrar of the scope, without TLS."""

    def __init__(self, name: str, *peers: "Registrar", **sets: float) -> None:
        self.enrp, self.status_port = free_port(), free_port()
        port = free_port()
        values = {**_OUT_OF_REACH, **sets}
        options = [f"--set={key}={value}" for key, value in values.items()]
        options += [f"--peer=tcp:127.0.0.1:{peer.enrp}" for peer in peers]
        command = [
            str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile=", "rserpool-enrp",
            "--security=none", f"--asap=tcp:{port}:interface=127.0.0.1",
            f"--enrp=tcp:{self.enrp}:interface=127.0.0.1", f"--status=tcp:{self.status_port}",
            *options,
        ]  # fmt: skip
        super().__init__(name, command, port, None)

    def status(self) -> Any:
        """What its status page tells."""
        where = f"http://127.0.0.1:{self.status_port}/status.json"
        while True:
            with suppress(OSError), urllib.request.urlopen(where, timeout=5) as page:
                return json.load(page)
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} has ended")
            time.sleep(0.1)

    def peak(self) -> float:
        """The most memory that it has had, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1000

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def started() -> Iterator[Callable[..., Registrar]]:
    """Start registrars, all of which are ended."""
    all_of_them: list[Registrar] = []

    def start(name: str, *peers: Registrar, **sets: float) -> Registrar:
        all_of_them.append(Registrar(name, *peers, **sets))
        return all_of_them[-1]

    try:
        yield start
    finally:
        for registrar in all_of_them:
            registrar.end()


def until(holds: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("the scope doesn't come to what it should")
        time.sleep(0.05)


def fill(registrar: Registrar, size: int) -> None:
    """Register so many elements."""
    registrar.load(
        (1, 1), questions(size)[:1], len(answer()), prepare=registrations(size), seconds=0.05
    )
    until(lambda: registrar.status()["elements"] == size)


@contextmanager
def asked(registrar: Registrar, size: int) -> Iterator[list[float]]:
    """Resolve all the while; the longest waits come into the list."""
    longest: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            found = registrar.load((1, 1), questions(size)[:1], len(answer()), seconds=0.5)
            longest.append(found["max"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield longest
    finally:
        done.set()
        watcher.join()


def synchronization(size: int) -> dict[str, float]:
    """A registrar joins one that has so many elements, which goes on answering."""
    with started() as start:
        alone = start("alone")
        until(lambda: alone.status()["serving"])
        begun = alone.cpu()
        mentor = start("mentor")
        fill(mentor, size)
        time.sleep(0.5)
        before, began = mentor.cpu(), time.monotonic()
        joining = start("joining", mentor)
        until(lambda: joining.status()["elements"] == size and joining.status()["serving"])
        seconds = time.monotonic() - began
        used = mentor.cpu() - before
        received = joining.cpu() - begun
        # Another one, while somebody asks the mentor all the time.
        with asked(mentor, size) as longest:
            time.sleep(0.7)
            longest.clear()
            second = start("second", mentor)
            until(lambda: second.status()["elements"] == size and second.status()["serving"])
        return {
            "wall, start of the process included (s)": seconds,
            "CPU to send (s)": used,
            "CPU to receive (s)": received,
            "longest wait at the mentor (ms)": max(longest, default=0.0) * 1e3,
            "peak memory of the mentor (MB)": mentor.peak(),
            "peak memory of the joining one (MB)": joining.peak(),
            "octets an element at the joining one": (joining.memory() - alone.memory()) / size,
        }


def updates(others: int, size: int = 1000) -> dict[str, float]:
    """Registrations again, told to so many other registrars."""
    with started() as start:
        home = start("home")
        fill(home, 10)
        receivers: list[Registrar] = []
        for number in range(others):
            receivers.append(start(f"receiver {number}", home, *receivers))
        until(lambda: all(len(r.status()["peers"]) == others for r in (home, *receivers)))
        before = [receiver.cpu() for receiver in receivers]
        counted = [r.status()["counters"]["peer_updates"] for r in receivers]
        members = registrations(size)
        found = home.load(
            (4, 16), members, len(registered()), prepare=members, own=True, seconds=2.0
        )
        result = {
            f"renewals a second, {others} others": found["rate"],
            f"CPU of a renewal at the home, {others} others (us)": found["us"],
        }
        time.sleep(0.5)
        told = [
            r.status()["counters"]["peer_updates"] - c
            for r, c in zip(receivers, counted, strict=True)
        ]
        if receivers:
            used = [r.cpu() - b for r, b in zip(receivers, before, strict=True)]
            each = sum(used) / sum(told) * 1e6
            result[f"CPU of an update at a receiver, {others} others (us)"] = each
        return result


def takeover(size: int) -> dict[str, float]:
    """The home of all elements is killed; another registrar takes them over."""
    with started() as start:
        home = start("home", **_SOON)
        fill(home, size)
        heir = start("heir", home, **_SOON)
        until(lambda: heir.status()["elements"] == size)
        time.sleep(1.5)
        with asked(heir, size) as longest:
            time.sleep(0.7)
            home.end()
            idle = heir.cpu()
            time.sleep(1.0)
            questioned = heir.cpu() - idle
            longest.clear()
            before, began = heir.cpu(), time.monotonic()
            until(lambda: heir.status()["counters"]["takeovers_won"] == 1)
            time.sleep(1.0)
            used = heir.cpu() - before - questioned * (time.monotonic() - began)
        return {
            "CPU, a second of calls to elements included (s)": used,
            "longest wait meanwhile (ms)": max(longest, default=0.0) * 1e3,
        }


def measure(sizes: list[int]) -> dict[str, dict[str, float]]:
    """All of it."""
    result = {f"synchronization of {size}": synchronization(size) for size in sizes}
    result["updates"] = {**updates(0), **updates(1), **updates(4)}
    result[f"takeover of {max(sizes)}"] = takeover(max(sizes))
    return result
