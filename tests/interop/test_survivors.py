"""Hosts are cut from the network: registrars of ours and of rsplib take over each other."""

import time

from tests.interop import only_in_the_lab
from tests.interop.mixed import OURS, THEIRS, Peers, homes
from tests.interop.stage import members, serving, status
from tests.site import until

test_suite = only_in_the_lab(__name__)

#: Seconds until somebody is known to be dead and was taken over: nine for ours, ten for theirs,
#: and more on a loaded machine.
TAKEOVER = 60
POOL = "echo"
#: Seconds that messages need while both begin to take over the third one.
LATE = 2


class Survivors(Peers):
    """Elements of rsplib at the registrar that goes, which is the only one they are told of."""

    hosts = 3

    @classmethod
    def elements(cls, number, at, *identifiers):
        """Start elements on this host; they don't renew as long as a test lasts."""
        for identifier in identifiers:
            cls.stage.element(
                f"pe-{identifier:x}", "echo", POOL, f"-identifier={identifier:#x}",
                "-rereginterval=600000", "-asapannounce=off", at=at,
                host=cls.lan.hosts[number - 1],
            )  # fmt: skip
        until(lambda: set(members(POOL, at)) >= set(identifiers), 60)

    def home(self, addresses, *identifiers, among):
        """Wait until all of these registrars name one home of these elements; it."""

        def one():
            found = set()
            for address in addresses:
                there = homes(POOL, address)
                if set(there) != set(identifiers):
                    return None
                found |= set(there.values())
            return len(found) == 1 and found <= set(among) and found

        [home] = until(one, TAKEOVER)
        return home

    def adopted(self, home, *identifiers):
        """Wait until the elements themselves say that this is their home."""
        for identifier in identifiers:
            words = f"Home registrar is ${home:08x}"
            until(lambda: words in self.stage.log(f"pe-{identifier:x}"), 60)  # noqa: B023

    def kept(self, here):
        """They answer keep-alives of ours."""
        before = status(here)["counters"]["keep_alives_acknowledged"]
        until(lambda: status(here)["counters"]["keep_alives_acknowledged"] >= before + 3, 60)


class OfTheirs(Survivors):
    """Theirs is cut off."""

    def test_taken_over(self):
        """Ours, which is alone then, takes over, and their elements adopt it."""
        there = self.theirs(1, 2)
        here = self.ours(2, 1)
        serving(here)
        self.agree(here, THEIRS)
        self.elements(3, there, 1, 2, 3)
        self.home([there, here], 1, 2, 3, among=[THEIRS])
        self.lan.hosts[0].cut()
        self.home([here], 1, 2, 3, among=[OURS])
        self.adopted(OURS, 1, 2, 3)
        # They answer it from now on, and nobody else.
        self.kept(here)
        self.lan.hosts[0].mend()
        self.agree(here, THEIRS)
        self.home([here, there], 1, 2, 3, among=[OURS])


class OfOurs(Survivors):
    """Ours is cut off, where there are three of theirs."""

    hosts = 5

    def test_taken_over(self):
        """One of theirs takes over, and their elements adopt it; later all agree again."""
        here = self.ours(1)
        serving(here)
        ids = [THEIRS, THEIRS + 1, THEIRS + 2]
        there = [
            self.theirs(2, 1, identifier=ids[0]),
            self.theirs(3, 1, 2, identifier=ids[1]),
            self.theirs(4, 1, 2, 3, identifier=ids[2]),
        ]
        self.agree(here, *ids)
        self.elements(5, here, 1, 2, 3)
        self.home([here, *there], 1, 2, 3, among=[OURS])
        self.lan.hosts[0].cut()
        home = self.home(there, 1, 2, 3, among=ids)
        self.adopted(home, 1, 2, 3)
        self.lan.hosts[0].mend()
        self.agree(here, *ids)
        # Nobody has told ours of the takeover; it doesn't claim them again all the same.
        self.home([here, *there], 1, 2, 3, among=[home])


class Arbitration(Survivors):
    """One of theirs is cut off; ours and another one of theirs mean to take it over at once."""

    hosts = 4

    def decide(self, identifier):
        """Who of both is the new home when ours has this ID."""
        dead = self.theirs(1, identifier=THEIRS + 1)
        here = self.ours(2, 1, identifier=identifier)
        serving(here)
        there = self.theirs(3, 1, 2)
        self.agree(here, THEIRS, THEIRS + 1)
        self.elements(4, dead, 1, 2)
        self.home([dead, here, there], 1, 2, among=[THEIRS + 1])
        # Ours waits for nine seconds, theirs for ten.  What they send is late by two: both have
        # begun before they hear of each other.
        for host in self.lan.hosts[1:3]:
            host.impair("delay", f"{LATE}s")
        self.lan.hosts[0].cut()
        until(lambda: status(here)["counters"].get("takeovers_started"), TAKEOVER)
        # What was sent until now arrives; it needn't be late any more.
        time.sleep(LATE + 0.5)
        for host in self.lan.hosts[1:3]:
            host.impair()
        home = self.home([here, there], 1, 2, among=[identifier, THEIRS])
        self.adopted(home, 1, 2)
        self.assertEqual(status(here)["counters"]["takeovers_started"], 1)
        return home


class Smaller(Arbitration):
    """Ours has the smaller ID."""

    def test_goes_on(self):
        """Ours goes on, in rsplib's way, and theirs agrees."""
        self.assertEqual(self.decide(OURS), OURS)


class Larger(Arbitration):
    """Ours has the larger ID."""

    def test_yields(self):
        """Theirs goes on, and ours agrees."""
        self.assertEqual(self.decide(0x88880000), THEIRS)
