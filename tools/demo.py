"""
The demonstration of ``make demo``: a secure registrar, three servers, a client.

Every step is checked; the exit status is 0 only if all of them held.  Ports are chosen by
the kernel, files are in a scratch directory, and all that was started is stopped.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
POOL = "web"


class Failed(Exception):
    """A step didn't hold."""


def say(text: str) -> None:
    """Print one sentence of the story."""
    print(text, flush=True)


def step(text: str) -> None:
    """Print what is done now."""
    say(f"\n== {text}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: str, holds: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while True:
        result = holds()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds:g} seconds")
        time.sleep(0.2)


class Demo:
    """What is running, and where."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.registrar = free_port()
        self.ports: dict[str, int] = {}

    def run(self, name: str, *command: str, cwd: Path | None = None) -> None:
        """Start a program; its output goes to a log in the scratch directory."""
        with open(self.scratch / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=cwd or self.scratch
            )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one rserpool command to its end."""
        return subprocess.run(
            [str(BIN / "rserpool"), *words], capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip

    def resolved(self) -> dict[int, str]:
        """Ask the registrar as a client without a key: port to PE identifier."""
        answer = self.command(
            "resolve", POOL, "--json",
            "--registrar", f"tcp:127.0.0.1:{self.registrar}",
            "--ca", str(self.scratch / "site" / "ca.pem"),
        )  # fmt: skip
        if answer.returncode == 1:
            return {}
        if answer.returncode:
            raise Failed(f"rserpool resolve: {answer.stderr.strip()}")
        elements = json.loads(answer.stdout)["elements"]
        return {e["transport"]["port"]: e["pe-id"] for e in elements}

    def fetch(self, port: int) -> str:
        """Fetch the page of one server."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            return str(page.read().decode()).strip()

    def stop(self) -> None:
        """Stop what still runs: the elements first, so that they can say goodbye."""
        order = sorted(self.processes, key=lambda name: name == "registrar")
        for name in order:
            process = self.processes[name]
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def logs(self) -> str:
        """The end of each log."""
        parts = []
        for log in sorted(self.scratch.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            parts.append("\n".join([f"--- {log.name}", *lines]))
        return "\n".join(parts)


def tell(demo: Demo) -> None:
    """Tell the whole story."""
    site = demo.scratch / "site"
    step("rserpool init: an authority, a certificate, a key for each server")
    made = demo.command(
        "init", str(site), "--port", str(demo.registrar), "--interface", "127.0.0.1"
    )
    if made.returncode:
        raise Failed(f"rserpool init: {made.stderr.strip()}")
    say("   " + ", ".join(sorted(path.name for path in site.iterdir())))
    start_registrar(demo, site)
    start_servers(demo, site)
    everybody_is_there(demo)
    one_dies(demo)
    nobody_else_gets_in(demo, site)
    step("Stopping everything: the wrappers leave the pool, then the registrar goes")


def start_registrar(demo: Demo, site: Path) -> None:
    """Start the registrar and wait for it."""
    step("twistd rserpool-enrp: a registrar that believes nobody without a key")
    demo.run(
        "registrar", str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp",
        "--config", str(site / "registrar.toml"),
    )  # fmt: skip

    def listens() -> bool:
        if demo.processes["registrar"].poll() is not None:
            raise Failed("the registrar ended")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", demo.registrar)) == 0

    until("the registrar listens", listens)
    say(f"   it listens on 127.0.0.1 port {demo.registrar} with TLS")


def start_servers(demo: Demo, site: Path) -> None:
    """Start three ordinary HTTP servers, each with its wrapper."""
    step("Three HTTP servers that know nothing of this, each wrapped by twistd rserpool-pe")
    for name in ("web-1", "web-2", "web-3"):
        root = demo.scratch / f"www-{name}"
        root.mkdir()
        (root / "index.html").write_text(f"the page of {name}\n")
        port = demo.ports[name] = free_port()
        demo.run(
            f"server-{name}", sys.executable, "-m", "http.server", str(port),
            "--bind", "127.0.0.1", cwd=root,
        )  # fmt: skip
        demo.run(
            f"element-{name}", str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-pe",
            "--pool", POOL, "--service", f"tcp:127.0.0.1:{port}",
            "--registrar", f"tcp:127.0.0.1:{demo.registrar}",
            "--psk", str(site / f"{name}.psk"), "--check", "http:/", "--check-interval", "0.5",
        )  # fmt: skip
        say(f"   {name} serves on port {port}")


def everybody_is_there(demo: Demo) -> None:
    """All three are resolved and reached."""
    step("rserpool resolve web: a client without a key, that checks the certificate")
    found = until(
        "all three are in the pool", lambda: len(demo.resolved()) == 3 and demo.resolved()
    )
    if set(found) != set(demo.ports.values()):
        raise Failed(f"the answer names other ports: {sorted(found)}")
    for port, identifier in sorted(found.items()):
        say(f"   {identifier} on port {port}: {demo.fetch(port)!r}")


def one_dies(demo: Demo) -> None:
    """One server is killed, leaves the answers, and the others go on."""
    step("SIGKILL for web-2")
    began = time.monotonic()
    demo.processes["server-web-2"].kill()
    demo.processes["server-web-2"].wait()
    dead = demo.ports["web-2"]
    until("web-2 has left the answers", lambda: dead not in demo.resolved())
    say(f"   it left the answers after {time.monotonic() - began:.1f} s")
    left = demo.resolved()
    if set(left) != {demo.ports["web-1"], demo.ports["web-3"]}:
        raise Failed(f"the answer should name the other two: {sorted(left)}")
    for port, identifier in sorted(left.items()):
        say(f"   {identifier} on port {port} goes on: {demo.fetch(port)!r}")


def nobody_else_gets_in(demo: Demo, site: Path) -> None:
    """Wrong credentials are refused."""
    step("And who has no right to it?")
    stranger = demo.command(
        "resolve", POOL, "--timeout", "2", "--registrar", f"tcp:127.0.0.1:{demo.registrar}",
        "--ca", str(site / "ca.pem"), "--name", "another.example",
    )  # fmt: skip
    if stranger.returncode != 2 or "not another.example" not in stranger.stderr:
        raise Failed(f"a client believed the wrong registrar: {stranger.stderr}")
    say(f"   {stranger.stderr.strip().splitlines()[-1]}")


def main() -> int:
    """Run it; 0 only if every step held."""
    scratch = Path(tempfile.mkdtemp(prefix="rserpool-demo-"))
    demo = Demo(scratch)
    os.environ["PYTHONUNBUFFERED"] = "1"
    began = time.monotonic()
    try:
        tell(demo)
    except Failed as failure:
        print(f"\nFAILED: {failure}\n{demo.logs()}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"\nEvery step held, in {time.monotonic() - began:.0f} seconds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
