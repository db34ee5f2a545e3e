"""
A registrar in a box: a real one, in a process of its own, for the time of a test.

It is driven by its programs alone, as by an operator: twistd, and the rserpool command.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

#: Seconds until a process must have come up, or ended.
PATIENCE = 30.0


class RegistrarBox:
    """
    A secure registrar on loopback, made by ``rserpool init``; a context manager.

    .. code-block:: python

        with RegistrarBox("--auth", "mine:x", authorizer="mine:y") as box:
            box.element("web-1", key=box.directory / "web-1.psk")
            print(box.resolve("web"))

    :param words: more of its command line; ``--auth`` here takes the place of the made one.
        ``{directory}`` stands for `directory`, also in `authorizer`.
    :param authorizer: ``KIND:ARGS``, in place of the made rules.
    :ivar directory: what ``rserpool init`` made: ca.pem, elements.psk, web-1.psk, ...
    """

    def __init__(
        self, *words: str, authorizer: str = "", environment: dict[str, str] | None = None
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="rserpool-box-"))
        self._environment = {**os.environ, **(environment or {})}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.directory = self._scratch / "site"
        self._authorizer = self._placed(authorizer)
        self._words = [self._placed(word) for word in words]
        self.port, self.status_port = _free_port(), _free_port()

    def __enter__(self) -> "RegistrarBox":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """
        Make the site and start the registrar.

        :raise RuntimeError: it doesn't start; the message is its log.
        """
        done = self.command(
            "init", str(self.directory), "--port", str(self.port), "--interface", "127.0.0.1"
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        config = str(self._config())
        status = f"tcp:{self.status_port}"
        process = self._twistd(
            "registrar", "rserpool-enrp", "--config", config, "--status", status, *self._words
        )
        end = time.monotonic() + PATIENCE
        while not _listens(self.port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the registrar doesn't start:\n{self.log()}")
            time.sleep(0.05)

    def _placed(self, text: str) -> str:
        return text.replace("{directory}", str(self.directory))

    def _config(self) -> Path:
        path = self.directory / "registrar.toml"
        if self._authorizer:
            lines = path.read_text().splitlines()
            ours = f"authorizer = {json.dumps(self._authorizer)}"
            lines = [ours if line.startswith("rules =") else line for line in lines]
            path.write_text("\n".join(lines) + "\n")
        return path

    def stop(self) -> None:
        """End everything and take it away."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def reload(self) -> None:
        """Have keys, certificates and rules read again."""
        self._processes[0].send_signal(signal.SIGHUP)

    def element(self, name: str, key: Path | str, pool: str = "web", port: int = 9) -> None:
        """Start a pool element, with a key file; whether it is let in, `elements` tells."""
        self._twistd(
            name, "rserpool-pe", "--pool", pool, "--service", f"tcp:127.0.0.1:{port}",
            "--check", "none", "--registrar", f"tcp:127.0.0.1:{self.port}", "--psk", str(key),
        )  # fmt: skip

    def resolve(self, pool: str) -> list[dict[str, Any]]:
        """
        Who is in a pool, as ``rserpool resolve --json`` tells it; none where there is no pool.

        :raise RuntimeError: the registrar refuses, or can't be asked.
        """
        done = self.command(
            "resolve", pool, "--registrar", f"tcp:127.0.0.1:{self.port}",
            "--ca", str(self.directory / "ca.pem"), "--json",
        )  # fmt: skip
        if done.returncode == 1 and "no pool" in done.stderr:
            return []
        if done.returncode:
            raise RuntimeError(done.stderr)
        found: list[dict[str, Any]] = json.loads(done.stdout)["elements"]
        return found

    def wait_for(self, pool: str, count: int) -> list[dict[str, Any]]:
        """
        Wait until so many elements are in a pool.

        :raise AssertionError: they aren't, in time.
        """
        end = time.monotonic() + PATIENCE
        while len(found := self.resolve(pool)) != count:
            if time.monotonic() > end:
                raise AssertionError(f"{len(found)} elements in {pool!r}:\n{self.log()}")
            time.sleep(0.1)
        return found

    def wait_for_log(self, words: str, name: str = "registrar") -> str:
        """
        Wait until the log of the registrar, or of an element, has these words; its line.

        :raise AssertionError: it has not, in time.
        """
        end = time.monotonic() + PATIENCE
        while not (found := [one for one in self.log(name).splitlines() if words in one]):
            if time.monotonic() > end:
                raise AssertionError(f"no {words!r} in the log of {name}:\n{self.log(name)}")
            time.sleep(0.1)
        return found[0]

    def status(self) -> dict[str, Any]:
        """What /status.json tells."""
        where = f"http://127.0.0.1:{self.status_port}/status.json"
        with urllib.request.urlopen(where, timeout=PATIENCE) as page:
            found: dict[str, Any] = json.load(page)
            return found

    def log(self, name: str = "registrar") -> str:
        """The log of the registrar, or of an element."""
        path = self._scratch / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the rserpool command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "rserpool.cli.main", *words],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
            env=self._environment, cwd=self._scratch,
        )  # fmt: skip

    def _twistd(self, name: str, *words: str) -> "subprocess.Popen[bytes]":
        with open(self._scratch / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                _twistd_words(words), stdout=log, stderr=subprocess.STDOUT,
                cwd=self._scratch, env=self._environment,
            )  # fmt: skip
        self._processes.append(process)
        return process


def _twistd_words(words: Sequence[str]) -> list[str]:
    run = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
    return [sys.executable, "-c", run, "-n", "--pidfile=", *words]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
