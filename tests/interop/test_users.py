"""Pool users of rsplib, which find its elements by our registrar, and lose some of them."""

import re
import subprocess

from tests.interop import only_in_the_lab
from tests.interop.stage import Staged, members, serving
from tests.site import until

test_suite = only_in_the_lab(__name__)

_SHOWN = re.compile(r"from PE \$([0-9a-f]{8})> (\w+)")
_ACKNOWLEDGED = re.compile(r"Ack #(\d+) from PE \$([0-9a-f]{8}) \(reply #(\d+)\)")
_REQUEST = re.compile(
    r"Request for job #(\d+) \(job size (\S+)\)((?:(?!Request for job).)*)", re.S
)
_COOKIE = "RSERPOOL_FAILOVER_NECESSARY, cookie=yes"
_COOKIE_COMES = "ASAP control channel message"
#: Calculations a second.
CAPACITY = 10_000_000


class Users(Staged):
    """Each of its example programs, with two elements, of which one is killed."""

    @classmethod
    def begin(cls, stage):
        """A registrar and two elements of each service."""
        stage.ours()
        serving()
        for number, (service, words) in enumerate(
            (
                ("echo", ()),
                ("pingpong", ()),
                ("calcapp", (f"-capcapacity={CAPACITY}", "-capcookiemaxtime=1")),
            ),
            1,
        ):
            for identifier in (16 * number + 1, 16 * number + 2):
                stage.element(
                    f"pe-{identifier:08x}", service, service, f"-identifier={identifier:#x}",
                    "-rereginterval=2000", *words,
                )  # fmt: skip
        services = ("echo", "pingpong", "calcapp")
        until(lambda: all(len(members(service)) == 2 for service in services), 60)

    def says(self, name, pattern, count=1):
        """Wait until a program has said it so often; the last one's groups."""
        found = until(lambda: len(f := self.found(name, pattern)) >= count and f, 60)
        return found[-1]

    def found(self, name, pattern):
        """What it has said of this kind."""
        return re.findall(pattern, self.stage.log(name))

    def test_terminal(self):
        """Somebody who types goes on typing when the element is killed."""
        user = self.stage.user("terminal", "rspterminal", "echo", stdin=subprocess.PIPE)
        self.addCleanup(user.stdin.close)
        self.addCleanup(self.stage.finish, "terminal")

        def say(word):
            user.stdin.write(f"{word}\n".encode())
            user.stdin.flush()

        say("first")
        served = self.says("terminal", _SHOWN)
        self.assertEqual(served[1], "first")
        self.stage.finish(f"pe-{served[0]}")
        until(lambda: "FAILOVER" in self.stage.log("terminal"))
        say("second")
        instead = self.says("terminal", _SHOWN, 2)
        self.assertEqual(instead[1], "second")
        self.assertNotEqual(instead[0], served[0])
        until(lambda: set(members("echo")) == {int(instead[0], 16)}, 20)

    def test_ping_pong(self):
        """Another element goes on to count where the first one was killed, by its cookie."""
        self.stage.user("pinger", "pingpongclient", "pingpong", "-interval=100")
        self.addCleanup(self.stage.finish, "pinger")
        _, first, _ = self.says("pinger", _ACKNOWLEDGED, 10)
        self.stage.finish(f"pe-{first}")
        # It may be given the one that was killed some times, until that is out.
        until(lambda: {pe for _, pe, _ in self.found("pinger", _ACKNOWLEDGED)} > {first}, 60)
        replies = self.found("pinger", _ACKNOWLEDGED)
        last = max(int(reply) for _, pe, reply in replies if pe == first)
        others = [int(reply) for _, pe, reply in replies if pe != first]
        self.assertIn(_COOKIE, self.stage.log("pinger"))
        # The cookie is that of a reply just before.
        self.assertIn(others[0], range(last - 1, last + 3))

    def test_calculation(self):
        """A job of an element that was killed is done by the other one, from its cookie on."""
        self.stage.user("client", "calcappclient", "calcapp", "-jobinterval=1",
                        f"-jobsize={3 * CAPACITY}", "-loglevel=4")  # fmt: skip
        self.addCleanup(self.stage.finish, "client")
        job = until(self.long_job, 120)
        [working] = [name for name in self.elements("calcapp") if self.works(name)]
        done = f"Job #{job} completed"
        self.stage.finish(working)
        until(lambda: done in self.stage.log("client"), 120)
        since = self.stage.log("client").partition(f"Request for job #{job} ")[2]
        before, _, after = since.partition(done)[0].partition(_COOKIE)
        self.assertIn(_COOKIE_COMES, before)
        self.assertIn("RSERPOOL_FAILOVER_COMPLETE, cookie=yes", after)

    def elements(self, pool):
        """The programs of its elements that run."""
        return [f"pe-{identifier:08x}" for identifier in members(pool)]

    def works(self, name):
        """Whether it has a job."""
        log = self.stage.log(name)
        return log.count(" accepted") > log.count("is complete")

    def long_job(self):
        """The number of one that takes two seconds or more, and has had a cookie."""
        for number, size, since in self.found("client", _REQUEST)[-1:]:
            if float(size) > 2 * CAPACITY and 0 < since.count(_COOKIE_COMES) < 3:
                return "completed" not in since and number
        return None
