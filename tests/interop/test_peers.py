"""Our registrar and registrars of rsplib, as peers on a network of several hosts."""

import os
import random
import re
import subprocess
import time

from tests.interop import only_in_the_lab
from tests.interop.herd import Herd
from tests.interop.mixed import OURS, THEIRS, Peers, homes
from tests.interop.stage import START, members, serving, status
from tests.site import until

test_suite = only_in_the_lab(__name__)

POOLS = [f"pool-{number}" for number in range(10)]
#: Elements of each registrar, of which the other one must get a table.
MANY = 500
#: Seconds of churn.
CHURN = float(os.environ.get("INTEROP_CHURN", "60"))
#: Changes a second.
RATE = 10


class Joining(Peers):
    """Who joins a scope takes all that is there, in either order of start."""

    def fill(self, address, first):
        """Register many elements there."""
        herd = Herd(address)
        self.addCleanup(herd.end)
        for number, pool in enumerate(POOLS):
            start = first + number * (MANY // len(POOLS))
            herd.register(pool, *range(start, start + MANY // len(POOLS)))
        herd.settled(MANY)
        return herd

    def everywhere(self, addresses, home, *herds):
        """Wait until all elements of these herds are told at all of these addresses."""
        expected = {}
        for herd in herds:
            for identifier, pool in herd.members.items():
                expected.setdefault(pool, {})[identifier] = home

        for address in addresses:
            for pool, there in expected.items():
                until(lambda: there.items() <= homes(pool, address).items(), 60)  # noqa: B023

    def updates(self, later, before, herd):
        """What comes and goes at one of them comes and goes at the other one."""
        new = Herd(later)
        self.addCleanup(new.end)
        new.register("new", 9001, 9002)
        until(lambda: set(members("new", before)) == {9001, 9002})
        new.deregister(9001)
        until(lambda: set(members("new", before)) == {9002})
        herd.register("new", 9003)
        until(lambda: set(members("new", later)) == {9002, 9003})
        herd.deregister(9003, 1)
        until(
            lambda: set(members("new", later)) == {9002} and 1 not in members(POOLS[0], later)
        )

    def dumped(self, ours, herd):
        """Their tool reads all of ours."""
        said = subprocess.run(
            self.lan.hosts[0].command("hsdump", f"{ours}:9901", "-logcolor=off"),
            capture_output=True, text=True, timeout=START, check=False,
        ).stdout  # fmt: skip
        listed = {int(one, 16) for one in re.findall(r"\$([0-9a-f]{8})", said)}
        self.assertLessEqual(set(herd.members), listed, said[-3000:])


class OursJoins(Joining):
    """Theirs is first."""

    def test_ours_joins(self):
        """Ours takes 500 elements from theirs, and tells what it gets later."""
        theirs = self.theirs(1)
        herd = self.fill(theirs, 1)
        ours = self.ours(2, 1)
        serving(ours)
        self.assertEqual(status(ours)["elements"], MANY)
        self.everywhere([ours], THEIRS, herd)
        self.agree(ours, THEIRS)
        self.updates(ours, theirs, herd)


class TheirsJoins(Joining):
    """Ours is first."""

    def test_theirs_joins(self):
        """Theirs takes 500 elements from ours, in parts, and tells what it gets later."""
        ours = self.ours(2)
        serving(ours)
        herd = self.fill(ours, 1)
        theirs = self.theirs(1, 2)
        until(lambda: homes(POOLS[-1], theirs), 60)
        self.everywhere([theirs], OURS, herd)
        self.agree(ours, THEIRS)
        self.updates(theirs, ours, herd)
        self.dumped(ours, herd)


class Churn(Peers):
    """Elements come and go at both of them, for INTEROP_CHURN seconds (60)."""

    @classmethod
    def begin(cls, stage):
        """One of each."""
        cls.there = cls.theirs(1, 2)
        cls.here = cls.ours(2, 1)
        serving(cls.here)

    def test_agree(self):
        """Checksums agree but for what is on its way, and no table is asked for again."""
        herds = {OURS: Herd(self.here), THEIRS: Herd(self.there)}
        for herd in herds.values():
            self.addCleanup(herd.end)
        self.agree(self.here, THEIRS)
        before = status(self.here)["counters"]
        chance, identifier, changes = random.Random(5), 0, 0
        apart = longest = 0.0
        end = time.monotonic() + CHURN
        while time.monotonic() < end:
            turn = time.monotonic()
            for herd in herds.values():
                for _ in range(RATE // 2):
                    present = list(herd.members)
                    if len(present) > 20 and chance.random() < 0.5:
                        herd.deregister(chance.choice(present))
                    else:
                        identifier += 1
                        herd.register(chance.choice(POOLS), identifier)
                    changes += 1
            [peer] = status(self.here)["peers"]
            self.assertEqual(peer["state"], "active")
            apart = 0.0 if peer["synchronized"] else apart + time.monotonic() - turn
            longest = max(longest, apart)
            time.sleep(max(0.0, turn + 1.0 - time.monotonic()))
        self.agree(self.here, THEIRS)
        after = status(self.here)["counters"]
        expected = {(one, home) for home, herd in herds.items() for one in herd.members}
        for address in (self.here, self.there):
            told = {item for pool in POOLS for item in homes(pool, address).items()}
            self.assertEqual(told, expected)
        print(f"{changes} changes in {CHURN:g} s, apart for {longest:.1f} s at most, "
              f"{after['resyncs'] - before['resyncs']} tables asked for")  # fmt: skip
        self.assertEqual(after["resyncs"], before["resyncs"])
