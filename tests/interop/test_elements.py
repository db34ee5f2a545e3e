"""Pool elements of rsplib at our registrar."""

import signal

from rserpool.wire.policies import RoundRobin
from tests.interop import only_in_the_lab
from tests.interop.stage import HERE, Staged, answer, members, serving, status
from tests.site import until

test_suite = only_in_the_lab(__name__)

#: What rspserver can send, by what it is called there: the parameter on the wire, of which the
#: distance is missing that our registrar measures.
POLICIES = {
    "RoundRobin": "00000001",
    "WeightedRoundRobin:5": "00000002 00000005",
    "Random": "00000003",
    "WeightedRandom:7": "00000004 00000007",
    "Priority:9": "00000005 00000009",
    "LeastUsed": "40000001 00000000",
    "LeastUsedDegradation:0.5": "40000002 00000000 80000000",
    "PriorityLeastUsed:0.5": "40000003 00000000 80000000",
    "RandomizedLeastUsed": "40000004 00000000",
    "RandomizedPriorityLeastUsed": "b0001001 00000000 00000000",
    "PriorityLeastUsedDegradation:0.5": "b0001003 00000000 80000000",
    "WeightedRandomDPF:7:0.25": "b0002001 00000007 40000000 distance",
    "LeastUsedDPF:0.25": "b0002002 00000000 40000000 distance",
    "LeastUsedDegradationDPF:0.5:0.25": "b0002003 00000000 80000000 40000000 distance",
}


class Life(Staged):
    """From the registration to the end."""

    @classmethod
    def begin(cls, stage):
        """A registrar that looks after its elements often, and elements that stay."""
        stage.ours(
            "--set", "timers.keep-alive-interval=3", "--set", "timers.keep-alive-timeout=3"
        )
        cls.server = int(serving()["server-id"], 16)
        for identifier, service in ((0x11, "echo"), (0x12, "echo"), (0x21, "pingpong")):
            stage.element(
                f"pe-{identifier:x}", service, service, f"-identifier={identifier:#x}",
                "-rereginterval=1500",
            )  # fmt: skip
        # One that renews so seldom that only keep-alives are between it and the end.
        stage.element(
            "pe-31", "discard", "discard", "-identifier=0x31", "-rereginterval=600000"
        )
        until(lambda: set(members("echo")) == {0x11, 0x12} and members("discard"))

    def more(self, counter, by):
        """Wait until something was counted so many times more."""
        before = status()["counters"][counter]
        until(lambda: status()["counters"][counter] >= before + by, 60)

    def element(self, identifier, *words):
        """Start one for this test only."""
        name = f"pe-{identifier:x}"
        self.stage.element(name, "echo", "echo", f"-identifier={identifier:#x}", *words)
        until(lambda: identifier in members("echo"))
        return name

    def test_registered(self):
        """It is told to users as it was registered, and is ours."""
        elements = {**members("echo"), **members("pingpong")}
        self.assertEqual(set(elements), {0x11, 0x12, 0x21})
        for element in elements.values():
            self.assertEqual(element.home, self.server)
            self.assertEqual(element.life, 4500, "in milliseconds, as users of rsplib expect")
            self.assertEqual(element.policy, RoundRobin())
            self.assertIn(HERE, map(str, element.user_transport.addresses))
            self.assertGreater(element.user_transport.port, 0)

    def test_renewed(self):
        """It renews in time: it is there when its first life has long been over."""
        self.more("registrations_renewed", 9)
        self.assertEqual(set(members("echo")), {0x11, 0x12})
        self.assertEqual(status()["counters"]["elements_expired"], 0)

    def test_kept_alive(self):
        """It answers keep-alives, and knows its home by them."""
        self.more("keep_alives_acknowledged", 4)
        self.assertIn(0x31, members("discard"))
        self.assertIn(f"Home registrar is ${self.server:08x}", self.stage.log("pe-31"))

    def test_deregistered(self):
        """One that ends in an orderly way is out at once."""
        name = self.element(0x13)
        before = status()["counters"]["deregistrations"]
        self.stage.finish(name, signal.SIGINT)
        self.assertNotIn(0x13, members("echo"))
        self.assertEqual(status()["counters"]["deregistrations"], before + 1)

    def test_killed(self):
        """One that was killed is out soon, and nobody else."""
        name = self.element(0x14)
        self.stage.finish(name, signal.SIGKILL)
        until(lambda: set(members("echo")) == {0x11, 0x12}, 20)

    def test_stopped(self):
        """One that was stopped is out when it has answered no keep-alive, until it goes on."""
        name = self.element(0x15, "-rereginterval=2000")
        self.stage.send(name, signal.SIGSTOP)
        until(lambda: 0x15 not in members("echo"), 30)
        self.stage.send(name, signal.SIGCONT)
        until(lambda: 0x15 in members("echo"), 30)
        self.stage.finish(name, signal.SIGINT)


class Policies(Staged):
    """Each selection policy that it can send."""

    @classmethod
    def begin(cls, stage):
        """An element with each."""
        stage.ours()
        serving()
        for number, policy in enumerate(POLICIES, 1):
            stage.element(f"pe-{number}", "discard", f"pool-{number}", f"-policy={policy}")
        until(lambda: status()["elements"] == len(POLICIES), 60)

    def test_carried(self):
        """Users are told the policy as the element has said it."""
        for number, (name, expected) in enumerate(POLICIES.items(), 1):
            fields = expected.split()
            length = 4 + 4 * len(fields)
            known = bytes.fromhex("".join(fields).removesuffix("distance"))
            parameter = b"\0\x08" + length.to_bytes(2, "big") + known
            # That of the pool, and that of its element.
            self.assertEqual(answer(f"pool-{number}").count(parameter), 2, name)

    def test_named(self):
        """People are told those of the RFCs by name, and others by number."""
        told = {pool["policy"] for pool in status()["pool-list"]}
        self.assertIn("WeightedRoundRobin", told)
        self.assertIn("LeastUsedDPF", told)
        self.assertIn("UnknownPolicy", told)
