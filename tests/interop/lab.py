"""
A kernel with SCTP on a host without it, and a command run on it.

.. code-block:: console

    $ python -m tests.interop.lab [-m SIZE] [-t SECONDS] [-v] [-k] [--] COMMAND [ARGUMENT]...

Boots User-Mode Linux on this machine's own files in some three seconds, loads SCTP and what
``tc netem`` needs, and runs the command there as root in the caller's directory, with the
caller's environment.  Its output is shown as it comes; its exit status is ours, or 124 at the
time limit, 125 when the lab failed, 126 when something is missing that it needs.
README.rst tells what a command finds there.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import attrs

from tests.interop import MARK

#: What it takes, by the program that tells whether it is there.
PACKAGES = {"linux.uml": "user-mode-linux", "modprobe": "kmod", "ip": "iproute2"}
TIME_LIMIT, LAB_FAILED, MISSING = 124, 125, 126
#: Seconds that the kernel may take to come up on a busy machine, and to go.
BOOT, HALT = 120, 10
#: Seconds between two looks at what the command has said.
TICK = 0.05
#: Not for the lab: its own directories aren't those of the caller.
_OWN = ("TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR")


class Missing(Exception):
    """Something that the lab needs isn't installed."""


@attrs.frozen
class Programs:
    """What boots the lab, with full paths."""

    linux: str
    modprobe: str
    ip: str
    modules: Path
    release: str


def find() -> Programs:
    """
    Find what the lab needs.

    :raise Missing: the message says what to install.
    """
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    found = {name: shutil.which(name, path=path) for name in PACKAGES}
    lacking = [PACKAGES[name] for name, where in found.items() if where is None]
    if lacking:
        raise Missing(f"apt-get install --no-install-recommends {' '.join(lacking)}")
    linux, modprobe, ip = (str(where) for where in found.values())
    asked = subprocess.run([linux, "--version"], capture_output=True, text=True, check=True)
    release = asked.stdout.split("\n")[0].strip()
    modules = Path("/usr/lib/uml/modules", release)
    if not any("/sctp.ko" in line for line in _lines(modules / "modules.dep")):
        raise Missing(f"{modules} has no SCTP module: install user-mode-linux of this release")
    return Programs(linux, modprobe, ip, modules, release)


@attrs.define
class Lab:
    """
    One run.

    :ivar memory: of the guest, as the kernel takes it.
    :ivar limit: seconds for the command.
    :ivar verbose: whether to show the kernel's messages.
    """

    programs: Programs
    command: Sequence[str]
    environment: Mapping[str, str]
    memory: str = "1G"
    limit: float = 900.0
    verbose: bool = False
    _guest: "subprocess.Popen[bytes] | None" = None

    def run(self, directory: Path) -> int:
        """Boot, show what the command says, and return its status."""
        self._write(directory)
        with (directory / "console").open("wb") as console:
            self._guest = subprocess.Popen(
                self._boot(directory), stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT, start_new_session=True, env=self._own(directory),
            )  # fmt: skip
        try:
            status = self._follow(directory)
            if (directory / "status").exists():
                self._halted()
            return status
        finally:
            self._end()

    def _write(self, directory: Path) -> None:
        """What the guest runs: its first process, and the command with its environment."""
        for name in ("stdout", "stderr"):
            (directory / name).touch()
        tree = directory / "root/lib/modules"
        tree.mkdir(parents=True)
        (tree / self.programs.release).symlink_to(self.programs.modules)
        modprobe = f'exec {shlex.quote(self.programs.modprobe)} -d {directory}/root "$@"'
        mask = os.umask(0)
        os.umask(mask)
        settings = {
            "run": str(directory), "modprobe": f"{directory}/modprobe",
            "ip": self.programs.ip, "callmask": f"{mask:03o}",
        }  # fmt: skip
        guest = Path(__file__).with_name("guest.sh").read_text()
        _script(directory / "modprobe", f"#!/bin/sh\n{modprobe}\n")
        _script(directory / "init", f"#!/bin/bash\n{_assigned(settings)}{guest}")
        exports = "".join(f"export {line}" for line in _assigned_lines(self.environment))
        _script(
            directory / "command",
            f"{exports}cd -- {shlex.quote(os.getcwd())} || exit {LAB_FAILED}\n"
            f"exec {shlex.join(self.command)}\n",
        )

    def _boot(self, directory: Path) -> list[str]:
        quiet = [] if self.verbose else ["quiet"]
        return [
            self.programs.linux, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw",
            f"mem={self.memory}", f"uml_dir={directory}/", "umid=lab",
            f"init={directory}/init", "con=null", "con0=null,fd:1", *quiet,
        ]  # fmt: skip

    def _own(self, directory: Path) -> dict[str, str]:
        """The kernel's own environment: it keeps the guest's memory in a file."""
        roomy = shutil.disk_usage("/dev/shm").free > _octets(self.memory)
        own = {key: value for key, value in os.environ.items() if key not in _OWN}
        return own if roomy else {**own, "TMPDIR": str(directory)}

    def _follow(self, directory: Path) -> int:
        assert self._guest is not None
        began, status = time.monotonic(), directory / "status"
        shown = [
            _Tail(directory / "stdout", sys.stdout.buffer),
            _Tail(directory / "stderr", sys.stderr.buffer),
        ]
        if self.verbose:
            shown.append(_Tail(directory / "console", sys.stderr.buffer))
        while True:
            over = status.exists() or self._guest.poll() is not None
            took, up = time.monotonic() - began, (directory / "ready").exists()
            late = took > (self.limit + BOOT if up else BOOT)
            for tail in shown:
                tail.show()
            if over or late:
                break
            time.sleep(TICK)
        if status.exists():
            code = int(status.read_text())
            # timeout(1) had to kill it
            return TIME_LIMIT if code == 128 + signal.SIGKILL and took >= self.limit else code
        if up and late:
            print(f"lab: cut off after {self.limit:g} s", file=sys.stderr)
            return TIME_LIMIT
        what = "ended before the command did" if up else "didn't come up"
        print(f"lab: the kernel {what}; its console:", file=sys.stderr)
        console = (directory / "console").read_text(errors="replace").replace("\r", "")
        print("\n".join(console.splitlines()[-30:]), file=sys.stderr)
        return LAB_FAILED

    def _halted(self) -> None:
        """Let the guest go by itself."""
        assert self._guest is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guest.wait(HALT)

    def _end(self) -> None:
        """End what is left of the guest: the group of processes that we have made."""
        assert self._guest is not None
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._guest.pid, number)
            except ProcessLookupError:
                break
            time.sleep(TICK)
        self._guest.wait()


class _Tail:
    """Shows what is added to a file."""

    def __init__(self, path: Path, shown: BinaryIO) -> None:
        self._path, self._shown, self._at = path, shown, 0

    def show(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        self._at += len(data)
        self._shown.write(data)
        self._shown.flush()


def main(arguments: Sequence[str]) -> int:
    """Run a command in the lab."""
    parser = argparse.ArgumentParser(prog="lab", description="Run a command where SCTP is.")
    parser.add_argument("-m", dest="memory", default="1G", metavar="SIZE", help="guest memory")
    parser.add_argument("-t", dest="limit", type=float, default=900.0, metavar="SECONDS",
                        help="time limit of the command")  # fmt: skip
    parser.add_argument(
        "-v", dest="verbose", action="store_true", help="show the kernel's messages"
    )
    parser.add_argument("-k", dest="keep", action="store_true", help="keep the run directory")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    given = parser.parse_args(arguments)
    try:
        programs = find()
    except Missing as missing:
        print(f"lab: something is missing. On Debian: {missing}", file=sys.stderr)
        return MISSING
    environment = {
        **{key: value for key, value in os.environ.items() if key not in _OWN and _name(key)},
        MARK: "1",
    }
    command = ["timeout", "-k", "5", f"{given.limit:g}", *given.command]
    lab = Lab(programs, command, environment, given.memory, given.limit, given.verbose)
    directory = Path(tempfile.mkdtemp(prefix="rserpool-lab-", dir="/tmp"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return lab.run(directory)
    finally:
        if given.keep:
            print(f"lab: kept {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


def _name(key: str) -> bool:
    """Whether a shell takes it for the name of a variable."""
    return key.isidentifier() and key.isascii()


def _assigned_lines(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={shlex.quote(value)}\n" for key, value in values.items()]


def _assigned(values: Mapping[str, str]) -> str:
    return "".join(_assigned_lines(values))


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _octets(size: str) -> int:
    units = {"K": 10, "M": 20, "G": 30}
    unit = size[-1].upper()
    return int(size[:-1]) << units[unit] if unit in units else int(size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
