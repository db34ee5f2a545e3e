"""
Programs of ours and of rsplib for a class of tests: started, asked, ended; all frames kept.

What was sent is in ``build/interop`` when the tests are over, a capture for each class, and
`tests.interop.captures` reads it.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap
from tests.interop.lan import BRIDGE, Lan
from tests.interop.peers import Peer
from tests.site import BIN, ROOT, until

HERE = "10.1.1.1"
CAPTURES = ROOT / "build" / "interop"
#: Seconds that a program may take to start on a busy machine.
START = 60
STATUS_PORT = 8080


class Stage:
    """
    What a class of tests has started.

    :param name: of the capture.
    :param interface: which frames are kept.
    """

    def __init__(self, name, interface="lo"):
        self.scratch = Path(tempfile.mkdtemp(prefix="rserpool-interop-"))
        self.programs = {}
        CAPTURES.mkdir(parents=True, exist_ok=True)
        self.capture = CAPTURES / f"{name}.pcap"
        # Each frame at once, or the last ones are lost.
        self.start(
            "tcpdump", "tcpdump", "-i", interface, "-Z", "root", "--immediate-mode", "-U",
            "-B", "65536", "-w", str(self.capture), "sctp or udp port 3863 or udp port 9901",
        )  # fmt: skip
        until(lambda: "listening on" in self.log("tcpdump"), START)

    def start(self, name, *words, host=None, **more):
        """Start a program, on a host of the network if one is given."""
        command = words if host is None else host.command(*words)
        with open(self.scratch / f"{name}.log", "ab") as log:
            self.programs[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=self.scratch,
                env={**os.environ, "PYTHONPATH": str(ROOT)}, **more,
            )  # fmt: skip
        return self.programs[name]

    def log(self, name):
        """What a program has said."""
        return (self.scratch / f"{name}.log").read_text(errors="replace")

    def tell(self):
        """Show the end of each program's log, to find out why a test has failed."""
        for path in sorted(self.scratch.glob("*.log")):
            lines = [line for line in self.log(path.stem).splitlines() if ".audit#" not in line]
            print(f"--- {path.name}", *lines[-25:], sep="\n")

    def send(self, name, number):
        """Send a signal to one."""
        self.programs[name].send_signal(number)

    def finish(self, name, number=signal.SIGKILL):
        """End one."""
        process = self.programs.pop(name)
        if number == signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(START)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def end(self):
        """End all of them, who takes down the frames last."""
        others = [name for name in self.programs if name != "tcpdump"]
        for name in others:
            self.finish(name)
        self.finish("tcpdump", signal.SIGTERM)
        # On a loaded machine it may miss some; what it has must be right.
        captured = re.findall(r"(\d+) packets captured", self.log("tcpdump"))
        shutil.rmtree(self.scratch, ignore_errors=True)
        assert captured and int(captured[0]) > 0, captured

    def ours(self, *words, name="registrar", address=HERE, host=None):
        """Start our registrar, in rsplib's ways; whoever needs it waits for it to serve."""
        return self.start(
            name, str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp",
            "--security", "none", "--set", "interop.profile=rsplib",
            "--asap", f"sctp:3863:interface={address}",
            "--enrp", f"sctp:9901:interface={address}",
            "--status", f"tcp:{STATUS_PORT}:interface={address}", *words, host=host,
        )  # fmt: skip

    def theirs(self, *words, name="rspregistrar", address=HERE, host=None):
        """Start rsplib's registrar."""
        return self.start(
            name, "rspregistrar", f"-asap={address}:3863", f"-enrp={address}:9901",
            "-disable-ipv6", "-loglevel=4", "-logcolor=off", *words, host=host,
        )  # fmt: skip

    def element(self, name, service, pool, *words, at=HERE, host=None):
        """Start an element of rsplib; what it says comes line by line."""
        return self.start(
            name, "stdbuf", "-oL", "rspserver", f"-{service}", f"-poolhandle={pool}",
            *(f"-registrar={where}:3863" for where in at.split()),
            "-loglevel=3", "-logcolor=off", *words, host=host,
        )  # fmt: skip

    def user(self, name, program, pool, *words, at=HERE, **more):
        """Start a user of rsplib; what it says comes line by line."""
        return self.start(
            name, "stdbuf", "-oL", program, f"-poolhandle={pool}", f"-registrar={at}:3863",
            "-loglevel=3", "-logcolor=off", *words, **more,
        )  # fmt: skip

    def command(self, *words, at=HERE):
        """Run the rserpool command against a registrar, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "rserpool.cli.main", *words, "--registrar",
             f"sctp:{at}:3863", "--security", "none", "--profile", "rsplib"],
            capture_output=True, text=True, timeout=START, cwd=self.scratch,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip


def status(address=HERE):
    """What our registrar there tells of itself; nothing when it doesn't."""
    where = f"http://{address}:{STATUS_PORT}/status.json"
    try:
        with urllib.request.urlopen(where, timeout=10) as page:
            return json.load(page)
    except OSError:
        return {"serving": False, "peers": [], "elements": 0, "counters": {}, "pool-list": []}


def serving(address=HERE):
    """Wait until our registrar there serves; what it tells then."""
    return until(lambda: (found := status(address))["serving"] and found, START)


def answer(pool, address=HERE, items=128):
    """What a registrar answers a user, as it is; nothing when nobody answers."""
    request = asap.HandleResolution(handle=pool.encode(), items=items)
    try:
        peer = Peer([address], 3863)
    except OSError:
        return b""
    with contextlib.closing(peer):
        peer.send(asap.encode(request))
        try:
            return peer.receive()[0]
        except OSError:
            return b""


def members(pool, address=HERE):
    """The elements of a pool that a registrar tells a user, by their identifiers."""
    data = answer(pool, address)
    if not data:
        return {}
    elements = asap.decode(data).message.elements
    return {element.identifier: element for element in elements}


class Staged(SynchronousTestCase):
    """
    Tests that share what was started for their class.

    :cvar hosts: how many there are on a network of their own; 0: all is on the lab's own host.
    """

    hosts = 0
    lan = None
    stage = None

    @classmethod
    def setUpClass(cls):
        """Start what they share."""
        module = cls.__module__.rpartition(".test_")[2]
        if cls.hosts:
            cls.lan = Lan(cls.hosts).up()
        interface = BRIDGE if cls.hosts else "lo"
        cls.stage = Stage(f"{module}-{cls.__name__.lower()}", interface)
        try:
            cls.begin(cls.stage)
        except BaseException:
            cls.stage.tell()
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        """End it."""
        (stage, cls.stage), (lan, cls.lan) = (cls.stage, None), (cls.lan, None)
        try:
            stage.end()
        finally:
            if lan:
                lan.down()

    @classmethod
    def begin(cls, stage):
        """Start what the tests of a class share."""

    def setUp(self):
        """Trial, asked for one test or one class, knows nothing of what its class needs."""
        if self.stage is None:
            type(self).setUpClass()
            self.addCleanup(type(self).tearDownClass)
        test = getattr(self, self._testMethodName)
        setattr(self, self._testMethodName, lambda: self._told(test))

    def _told(self, test):
        """Show what the programs have said when a test fails."""
        try:
            test()
        except Exception:
            self.stage.tell()
            raise
