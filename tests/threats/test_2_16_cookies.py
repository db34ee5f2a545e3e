"""RFC 5355 section 2.16: cookies, and the control channel that carries them."""

from pathlib import Path

from twisted.trial.unittest import SkipTest

from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from tests.registrar.scene import registration
from tests.site import free_port, until
from tests.threats.impostor import Impostor
from tests.threats.middle import UP, Middle
from tests.threats.scene import Attacked, Line

SECRET = b"the state of somebody's session"
RESOLUTION = asap.HandleResolution(handle=b"web")
#: Messages between users and elements; to a registrar they are nothing.
STRAY = (
    asap.Cookie(cookie=SECRET),
    asap.CookieEcho(cookie=SECRET),
    asap.BusinessCard(handle=b"web", elements=(registration(1).element,)),
)


def resident(process):
    """KiB of memory that a process has."""
    try:
        text = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        raise SkipTest("there is no /proc") from None
    [line] = [line for line in text.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


class AtRegistrar(Attacked):
    """Cookies that come to a registrar."""

    def prepare(self):
        """There is a plain door, which only refuses."""
        self.plain = free_port()
        self.settings = ("--asap", f"tcp:{self.plain}:interface=127.0.0.1")

    def test_stray(self):
        """They are counted, and neither answered nor kept nor passed on, whoever sends them."""
        element = self.line(self.key())
        element.tell(registration(1))
        [before] = element.tell(RESOLUTION)
        for line in (
            self.line(self.key("web-2")),
            self.line(self.anonymous()),
            self.line(port=self.plain)
        ):  # fmt: skip
            counted = self.site.status()["counters"]["unexpected_messages"]
            with self.unchanged():
                [answer] = line.tell(*STRAY, RESOLUTION)
            self.assertIsInstance(answer, asap.HandleResolutionResponse)
            count = self.site.status()["counters"]["unexpected_messages"] - counted
            self.assertEqual(count, len(STRAY))
        self.assertEqual(element.tell(RESOLUTION), [before], "the element has got none of them")
        self.no_errors()

    def test_not_kept(self):
        """30 MB of cookies leave a registrar no larger than it was."""
        line = self.line(self.key("web-2"))
        large = asap.encode(asap.Cookie(cookie=60_000 * b"c"))
        line.tell(50 * large, RESOLUTION)
        before = resident(self.registrar)
        for _ in range(10):
            line.tell(50 * large, RESOLUTION)
        self.assertEqual(self.site.status()["counters"]["unexpected_messages"], 550)
        self.assertLess(resident(self.registrar) - before, 6_000)

    def test_unread(self):
        """In the control channel nobody on the way reads one; without TLS he does."""
        secure, plain = Middle(self, self.site.port), Middle(self, self.plain, tls=False)
        for middle, creator in ((secure, self.key()), (plain, None)):
            with Line(middle.port, creator) as line:
                self.assertEqual(len(line.tell(STRAY[0], RESOLUTION)), 1)
        self.assertNotIn(SECRET, secure.seen(UP))
        self.assertIn(SECRET, plain.seen(UP))


class AtElement(Attacked):
    """Cookies that come to an element, by its control channel, from a registrar."""

    def test_stray(self):
        """It doesn't echo them, and goes on."""
        registered = []

        def answers(caller, message):
            if isinstance(message, asap.Registration):
                registered.append(caller)
                caller.say(
                    asap.RegistrationResponse(
                        handle=message.handle, identifier=message.element.identifier
                    )
                )

        rogue = Impostor(self, ServerCreator({"web-1": self.secret()}.get), answers)
        self.site.twistd("web-1", "rserpool-pe", "--pool", "web", "--check", "none",
                         "--service", "tcp:127.0.0.1:80", "--registrar", rogue.endpoint,
                         "--psk", str(self.site.files / "web-1.psk"))  # fmt: skip
        [caller] = until(lambda: registered)
        caller.say(*STRAY, asap.EndpointKeepAlive(server=1, handle=b"web"))
        until(lambda: len(rogue.heard) > 1)
        self.assertEqual([type(m) for m in rogue.heard[1:]], [asap.EndpointKeepAliveAck])
        self.assertNotIn("Traceback", self.site.log("web-1"))
