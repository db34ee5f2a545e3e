"""
A scope of registrars as real processes, killed one after the other.

``make scope`` runs it with 300 elements and ten kills; SCOPE_ELEMENTS and SCOPE_KILLS say
otherwise.
"""

import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import causes, enrp
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import RoundRobin
from tests.fleet import HERE, POOL
from tests.site import Site, free_port, until
from tests.watcher import Watcher

ELEMENTS = int(os.environ.get("SCOPE_ELEMENTS", "40"))
KILLS = int(os.environ.get("SCOPE_KILLS", "2"))
#: Short, so that a registrar is taken over within seconds.
TIMERS = [
    word
    for key, value in {
        "keep-alive-interval": 2, "keep-alive-timeout": 2, "peer-heartbeat-cycle": 1,
        "max-time-last-heard": 3, "max-time-no-response": 1, "rehome-timeout": 20,
    }.items()
    for word in ("--set", f"timers.{key}={value}")
]  # fmt: skip
FIRST = 1000


class ScopeSite(Site):
    """Three registrars, as ``rserpool init --registrars 3`` makes them."""

    NAMES = ("r1", "r2", "r3")

    def __init__(self, case):
        super().__init__(case)
        self.base = free_port()
        self.scope = self.scratch / "scope"
        while True:
            self.base, self.enrp = free_port(), free_port()
            ports = [p + 10 * i for p in (self.base, self.enrp) for i in range(3)]
            if len(set(ports)) == 6 and max(ports) < 65000 and not any(map(taken, ports)):
                break
        made = self.command(
            "init", str(self.scope), "--registrars", "3", "--name", "127.0.0.1",
            "--interface", "127.0.0.1", "--port", str(self.base),
            "--enrp-port", str(self.enrp), "--json",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.made = json.loads(made.stdout)
        self.status_ports = {name: free_port() for name in self.NAMES}

    def port_of(self, name):
        """Where a registrar is called by elements and users."""
        return self.base + 10 * self.NAMES.index(name)

    def enrp_port_of(self, name):
        """Where it is called by other registrars."""
        return self.enrp + 10 * self.NAMES.index(name)

    @property
    def registrars(self):
        """All of them, for elements."""
        return [f"tcp:127.0.0.1:{self.port_of(name)}" for name in self.NAMES]

    def start(self, name, *words):
        """Start one of them."""
        config = self.scope / name / "registrar.toml"
        return self.twistd(
            name, "rserpool-enrp", "--config", str(config), *TIMERS,
            "--status", f"tcp:{self.status_ports[name]}", *words,
        )  # fmt: skip

    def fleet(self, pool, count, key, first):
        """Start many elements in one process."""
        name = pool.decode()
        with open(self.scratch / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.fleet", name, str(count),
                 str(self.scope / f"{key}.psk"), str(first), *self.registrars],
                stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment,
            )  # fmt: skip
        return self.processes[name]

    def kill(self, name):
        """End it without a word."""
        process = self.processes[name]
        process.kill()
        process.wait()

    def status_of(self, name):
        """What its status page tells; nothing while it isn't there."""
        where = f"http://127.0.0.1:{self.status_ports[name]}/status.json"
        with contextlib.suppress(OSError), urllib.request.urlopen(where, timeout=5) as page:
            return json.load(page)
        return {"serving": False, "elements": 0, "peers": [], "pool-list": []}

    def complete(self, name, elements):
        """Whether it serves, has all elements, and agrees with two others."""
        status = self.status_of(name)
        agreed = [peer for peer in status["peers"] if peer["synchronized"]]
        known = {pool.get("pool"): pool["elements"] for pool in status["pool-list"]}
        there = known.get("fleet", 0) + known.get("web", 0)
        return status["serving"] and there == elements and len(agreed) == 2

    def dump(self, name, *words):
        """Show all that it knows."""
        return self.command(
            "dump", "--registrar", f"tcp:127.0.0.1:{self.enrp_port_of(name)}",
            "--psk", str(self.scope / "admin.psk"), "--identity", f"admin@{name}", *words,
        )  # fmt: skip


def taken(port):
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Killed(SynchronousTestCase):
    """Registrars that die while elements and users go on."""

    def test_no_element_is_missed(self):
        """No answer of a survivor ever misses a live element; all get a live home."""
        site = ScopeSite(self)
        for name in site.NAMES:
            site.start(name)
        until(lambda: all(site.complete(name, 0) for name in site.NAMES), 60)
        fleet = site.fleet(POOL, ELEMENTS, "web-1", FIRST)
        self.addCleanup(fleet.stdout.close)
        for line in fleet.stdout:
            if int(line) == ELEMENTS:
                break
        watchers = {
            name: Watcher(name, site.port_of(name), POOL, site.scope / "ca.pem")
            for name in site.NAMES
        }
        for watcher in watchers.values():
            watcher.start()
            self.addCleanup(watcher.stop)
        churn = site.fleet(b"churn", 5, "web-2", 60_000)
        self.addCleanup(churn.stdout.close)
        everybody = frozenset(range(FIRST, FIRST + ELEMENTS))
        until(lambda: all(site.complete(name, ELEMENTS) for name in site.NAMES), 60)
        for watcher in watchers.values():
            until(lambda watcher=watcher: watcher.homes and everybody <= watcher.homes.keys())
            watcher.expected = everybody
        identifiers = {name: int(site.status_of(name)["server-id"], 16) for name in site.NAMES}

        chance, times = random.Random(KILLS), []
        for _ in range(KILLS):
            victim = chance.choice(site.NAMES)
            dead = identifiers[victim]
            watchers[victim].expected = frozenset()
            began = time.monotonic()
            site.kill(victim)
            survivors = [watchers[name] for name in site.NAMES if name != victim]

            def housed(survivors=survivors, dead=dead):
                return all(w.homes and dead not in w.homes.values() for w in survivors)

            until(housed, 60)
            times.append(time.monotonic() - began)
            time.sleep(chance.uniform(0, 6))  # it is taken over, or comes back before that
            site.start(victim)
            until(lambda: all(site.complete(n, ELEMENTS) for n in site.NAMES), 90)
            watchers[victim].expected = everybody
        missed = [miss for watcher in watchers.values() for miss in watcher.missed]
        answers = sum(watcher.answers for watcher in watchers.values())
        print(
            f"\n{KILLS} registrars of {ELEMENTS} elements killed, {answers} answers: "
            f"all elements had a live home after {statistics.median(times):.2f} s (median), "
            f"{max(times):.2f} s (worst)",
            file=sys.__stdout__, flush=True,
        )  # fmt: skip
        self.assertEqual(missed, [])
        self.assertGreater(answers, 50 * KILLS)
        for name in (*site.NAMES, "fleet", "churn"):
            self.assertNotIn("Traceback", site.log(name))
            self.assertNotIn("Unhandled", site.log(name))

    test_no_element_is_missed.timeout = 900


class Peers(SynchronousTestCase):
    """What registrars let in, and what they show."""

    def test_dump(self):
        """Every registrar shows the same, to who may see it."""
        site = ScopeSite(self)
        for name in site.NAMES:
            site.start(name)
        until(lambda: all(site.complete(name, 0) for name in site.NAMES), 60)
        port = site.server("web-1")
        site.port = site.port_of("r1")
        site.element("web-1", port, key=site.scope / "web-1.psk")
        until(lambda: all(site.complete(name, 1) for name in site.NAMES), 60)
        shown = []
        for name in site.NAMES:
            dumped = site.dump(name, "--json")
            self.assertEqual(dumped.returncode, 0, dumped.stderr)
            found = json.loads(dumped.stdout)
            self.assertEqual(len(found["peers"]), 2)
            shown.append(found["pools"])
        self.assertEqual(shown[0], shown[1])
        self.assertEqual(shown[0], shown[2])
        [pool] = shown[0]
        self.assertEqual(pool["elements"][0]["transport"]["port"], port)
        self.assertEqual(pool["elements"][0]["home"], site.status_of("r1")["server-id"])
        self.assertIn("web: 1 element", site.dump("r2").stdout)
        self.assertEqual(len(site.status_of("r3")["peers"]), 2, "dumps made no peers")

        # who may not
        wrong = site.command(
            "dump", "--registrar", f"tcp:127.0.0.1:{site.enrp_port_of('r1')}",
            "--psk", str(site.scope / "web-2.psk"),
        )  # fmt: skip
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("refused identity 'web-2'", wrong.stderr)
        nobody = site.command(
            "dump", "--registrar", f"tcp:127.0.0.1:{site.enrp_port_of('r1')}",
            "--ca", str(site.scope / "ca.pem"),
        )  # fmt: skip
        self.assertEqual(nobody.returncode, 2)
        self.assertIn("give --psk and --identity", nobody.stderr)
        asap = site.command(
            "dump", "--registrar", f"tcp:127.0.0.1:{site.port_of('r1')}",
            "--psk", str(site.scope / "web-2.psk"),
        )  # fmt: skip
        self.assertEqual(asap.returncode, 2)
        self.assertIn("enrp-tls", asap.stderr)
        with open(site.scope / "r1" / "rules.toml", "a") as rules:
            rules.write('\n[gates."peer:admin".users.admin]\nrules = ["!enrp.table"]\n')
        site.processes["r1"].send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in site.log("r1"))
        denied = site.dump("r1")
        self.assertEqual(denied.returncode, 1, denied.stderr)
        self.assertIn("rules", denied.stderr)

    test_dump.timeout = 120

    def test_wrong_key(self):
        """A registrar with another key isn't let in, and nobody else is disturbed."""
        site = ScopeSite(self)
        keys = site.scope / "r3" / "registrars.psk"
        text = keys.read_text()
        keys.write_text(
            "".join(
                line if line.startswith("admin") else line[:-9] + "0badc0de\n"
                for line in text.splitlines(keepends=True)
            )
        )
        for name in site.NAMES:
            site.start(name)
        until(lambda: all(site.status_of(name)["serving"] for name in site.NAMES), 60)
        until(lambda: "wrong key" in site.log("r1"))
        until(lambda: len(site.status_of("r1")["peers"]) == 1)
        self.assertIn("r3@r1", site.log("r1"))
        self.assertEqual(site.status_of("r3")["peers"], [])
        self.assertIn("can't be reached", site.log("r3"))

    test_wrong_key.timeout = 90

    def test_plain_peer(self):
        """A secure registrar tells a plain peer that it may not, and does nothing for it."""
        site = ScopeSite(self)
        plain = free_port()
        site.start("r1", "--enrp", f"tcp:{plain}:interface=127.0.0.1")
        until(lambda: site.status_of("r1")["serving"])
        element = PoolElement(
            identifier=1, home=0xBAD, life=300, policy=RoundRobin(),
            user_transport=TCPTransport(port=80, addresses=(HERE,)),
        )  # fmt: skip
        messages = (
            enrp.Presence(sender=0xBAD, reply_required=True, checksum=0xFFFF),
            enrp.ListRequest(sender=0xBAD),
            enrp.HandleTableRequest(sender=0xBAD),
            enrp.HandleUpdate(sender=0xBAD, action=enrp.ADD_PE, handle=b"web", element=element),
            enrp.InitTakeover(sender=0xBAD, target=0xDEAD),
            enrp.TakeoverServer(sender=0xBAD, target=0xDEAD),
        )
        with socket.create_connection(("127.0.0.1", plain), timeout=10) as line:
            line.sendall(b"".join(enrp.encode(message) for message in messages))
            splitter, answers = Splitter(), []
            while len(answers) < len(messages):
                answers += splitter.feed(line.recv(65536))
        for answer in answers:
            error = enrp.decode(answer).message
            self.assertIsInstance(error, enrp.Error)
            self.assertEqual(error.error.causes, (causes.RejectedForSecurity(),))
        status = site.status_of("r1")
        self.assertEqual((status["elements"], status["peers"]), (0, []))

    test_plain_peer.timeout = 60
