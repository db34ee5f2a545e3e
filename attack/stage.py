"""Where an attack is played: a registrar, elements and users as real processes."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attack.figures import Point
from tests.site import Site, until

ELEMENTS = 5
#: Honest users at one request a second each: so many keep their connection, so many don't.
KEPT, ANEW = 20, 5
FIRST = 5000
POOL = "fleet"
#: What the audit log has of an element that was taken out of its pool against its will.
GONE = {"element.silent", "element.lost", "element.reported", "element.expired"}
#: What switches all limits off, so that it is seen what they are for.
OFF = {
    "limits.mode": "off",
    "limits.connections": 0,
    "limits.connections-per-address": 0,
    "limits.connections-per-principal": 0,
    "limits.peer-connections-per-address": 0,
    "limits.elements-per-principal": 0,
    "limits.handshake-timeout": 600,
}


class Stage(Site):
    """A secure registrar, its elements, and whoever is let loose on it."""

    def __init__(
        self, *, limits: bool, registrars: int = 1, settings: Mapping[str, str] | None = None
    ) -> None:
        self._cleanups: list[Callable[[], object]] = []
        super().__init__(self)
        self.limits = limits
        if registrars > 1:
            made = self.command(
                "init", str(self.scratch / "scope"), "--registrars", str(registrars),
                "--name", "127.0.0.1", "--interface", "127.0.0.1",
                "--port", str(self.port), "--enrp-port", str(self.port + 5),
            )  # fmt: skip
            assert made.returncode == 0, made.stderr
            shutil.copytree(self.scratch / "scope" / "r1", self.files, dirs_exist_ok=True)
            for name in ("ca.pem", "web-1.psk", "web-2.psk"):
                shutil.copy(self.scratch / "scope" / name, self.files / name)
        words = [] if limits else [w for k, v in OFF.items() for w in ("--set", f"{k}={v}")]
        settings = {key: text.format(port=self.port) for key, text in (settings or {}).items()}
        words += [word for key, text in settings.items() for word in ("--set", f"{key}={text}")]
        if "announce.listen" in settings:
            # With it whoever isn't known is called: else forged presences would do nothing.
            with (self.scratch / "scope" / "r1" / "registrars.psk").open("a") as keys:
                keys.write(f"r1:{secrets.token_hex(32)}\n")
        # Where it is looked for: the file of a scope's registrar is in another directory.
        words += ["--set", f"audit.file={self.files / 'audit.log'}"]
        self.process = self.registrar("--set", "audit.log=false", *words)
        self._elements(settings.get("announce.asap-group"))

    def addCleanup(self, do: Callable[..., object], *args: Any, **more: Any) -> None:  # noqa: N802
        """As a test case has it."""
        self._cleanups.append(lambda: do(*args, **more))

    def end(self) -> None:
        """End everything."""
        for cleanup in reversed(self._cleanups):
            cleanup()

    def key(self, name: str) -> str:
        """The key of an element, in hexadecimal."""
        line = (self.files / f"{name}.psk").read_text().splitlines()[0]
        return line.partition(":")[2].partition(";")[0]

    def _elements(self, group: str | None) -> None:
        fleet = [sys.executable, "-m", "tests.fleet", POOL, str(ELEMENTS)]
        fleet += [str(self.files / "web-1.psk"), str(FIRST), self.endpoint]
        fleet += [f"announce={group}"] if group else []
        self.processes["fleet"] = subprocess.Popen(
            fleet, stdout=subprocess.DEVNULL, env=self.environment
        )
        until(lambda: self.status()["elements"] >= ELEMENTS)

    def status(self) -> dict[str, Any]:
        """What the registrar says of itself; patiently, since it may be under attack."""
        where = f"http://127.0.0.1:{self.status_port}/status.json"
        with urllib.request.urlopen(where, timeout=20) as page:
            found: dict[str, Any] = json.load(page)
            return found

    def measure(self, label: str, seconds: float, attack: dict[str, Any] | None) -> Point:
        """Let honest users work for so long, while somebody attacks, or nobody."""
        evicted, cpu, began = len(self._evictions()), self.cpu(), time.monotonic()
        attackers = None
        if attack is not None:
            spec = {"port": self.port, "pool": POOL, "ca": str(self.files / "ca.pem"),
                    "seconds": seconds + 0.5, **attack}  # fmt: skip
            # The attackers' own work shall not be what slows the others down: they would
            # have machines of their own.
            attackers = _begin("attack.attackers", spec, nice=19)
            time.sleep(0.5)
        users = _begin("attack.users", {
            "port": self.port, "pool": POOL, "ca": str(self.files / "ca.pem"),
            "seconds": seconds, "kept": KEPT, "anew": ANEW,
            "expected": list(range(FIRST, FIRST + ELEMENTS)),
        })  # fmt: skip
        honest = _end(users, seconds + 30)
        done = {} if attackers is None else _end(attackers, seconds + 30)
        used = (self.cpu() - cpu) / (time.monotonic() - began)
        return Point(
            label=label, limits=self.limits, memory=self.memory(), cpu=used, attack=done,
            evicted=len(self._evictions()) - evicted, **honest,
        )  # fmt: skip

    def _evictions(self) -> list[dict[str, Any]]:
        """What the audit log says of our own elements, of which none has left."""
        with (self.files / "audit.log").open() as log:
            lines = [json.loads(line) for line in log if '"what": "element.' in line]
        return [line for line in lines if line["what"] in GONE and _ours(line["pe-id"])]

    def cpu(self) -> float:
        """Seconds of CPU time that the registrar has used."""
        text = Path(f"/proc/{self.process.pid}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    def memory(self) -> int:
        """Octets of memory that it has."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


def _ours(identifier: str) -> bool:
    return FIRST <= int(identifier, 16) < FIRST + ELEMENTS


def _begin(module: str, spec: dict[str, Any], nice: int = 0) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.nice(nice),  # noqa: PLW1509 - there are no threads
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(spec))
    process.stdin.close()
    return process


def _end(process: "subprocess.Popen[str]", patience: float) -> dict[str, Any]:
    assert process.stdout is not None
    try:
        found: dict[str, Any] = json.loads(process.stdout.read())
        return found
    finally:
        process.wait(patience)
        process.stdout.close()
