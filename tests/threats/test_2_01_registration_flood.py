"""RFC 5355 section 2.1: a flood of (de-)registrations for elements that don't exist."""

import itertools
import json
import time

from OpenSSL import SSL

from rserpool.wire import asap
from rserpool.wire.causes import LackOfResources
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.scene import Attacked, Line

RESOLUTION = asap.HandleResolution(handle=b"web")
#: Of elements that are nowhere: identifiers from here on.
GHOSTS = 0x10000
#: What a principal, or an address, may at once, and each second.
BURST, RATE = 40, 10
#: The same of failed handshakes.
GUESSES, GUESSES_RATE = 10, 2
#: Content type of TLS records, and what stands before each.
APPLICATION_DATA, HEADER = 23, 5


def ghosts(count, first=GHOSTS, address="127.0.0.1"):
    """Registrations of elements that don't exist, half of them in pools of their own."""
    return [
        registration(i, b"ghost-%d" % i if i % 2 else b"web", address=address)
        for i in range(first, first + count)
    ]


def gone(count, first=1):
    """De-registrations of elements: the real one, and others that aren't there."""
    return [
        asap.Deregistration(handle=b"web", identifier=i) for i in range(first, first + count)
    ]


def flooding(*lines, messages):
    """Send as much by each line as the network takes, without waiting for an answer."""
    data = b"".join(asap.encode(message) for message in messages)
    for line in lines:
        line.write(data)


class Flooded(Attacked):
    """A registrar with one element that exists and answers."""

    settings = (
        "--set", "timers.keep-alive-interval=3600",
        "--set", f"limits.registrations-burst={BURST}",
        "--set", f"limits.registrations-per-second={RATE}",
        "--set", f"limits.deregistrations-burst={BURST}",
        "--set", f"limits.deregistrations-per-second={RATE}",
    )  # fmt: skip

    def setUp(self):
        super().setUp()
        self.element = Answering(self.line(self.key()), registration(1))

    def honest(self, seconds=1.5):
        """Who does nothing wrong is served meanwhile: a user, and an element that comes."""
        user, element, waits = self.line(self.anonymous()), self.line(self.key("web-2")), []
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            asked = time.monotonic()
            [answer] = user.tell(RESOLUTION)
            self.assertEqual([e.identifier for e in answer.elements], [1])
            [answer] = element.tell(registration(2, b"other"))
            self.assertFalse(answer.rejected)
            [answer] = element.tell(asap.Deregistration(handle=b"other", identifier=2))
            self.assertIsNone(answer.error)
            waits.append(time.monotonic() - asked)
            time.sleep(0.1)
        self.assertLess(sorted(waits)[len(waits) // 2], 0.5, "others are served meanwhile")

    def counted(self, name):
        """One of the registrar's counters."""
        return self.site.status()["counters"][name]

    def lines(self, what):
        """Lines of the audit log of this kind, and how many refusals they stand for."""
        lines = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
        lines = [line for line in lines if line["what"] == what]
        return lines, sum(line.get("repeated", 1) for line in lines)


class Nobody(Flooded):
    """Who has no key at all."""

    def test_anonymous(self):
        """TLS without proof: each message is refused, and nothing of it stays."""
        nobody = self.line(self.anonymous())
        elsewhere = self.line(self.anonymous(), source="127.0.4.1")
        with self.unchanged():
            answers = nobody.tell(*ghosts(20), want=20) + elsewhere.tell(*gone(20), want=20)
            self.assertEqual(len(answers), 40)
            for answer in answers:
                self.refused(answer)
            self.assertTrue(all(answer.rejected for answer in answers[:20]))
        for what, action, address in (
            ("registration.refused", "asap.register.join", "127.0.0.1"),
            ("deregistration.refused", "asap.deregister", "127.0.4.1"),
        ):
            [line] = self.audited(what=what, action=action)[:1]
            self.assertEqual(
                (line["principal"], line["proof"], line["address"], line["pool"]),
                ("anonymous", "anonymous", address, "web"),
            )
            self.assertEqual(line["rule"], "invariant", "no rule can lift it")
            until(lambda what=what: self.lines(what)[1] == 20, 5)
        self.assertEqual({pool["pool"] for pool in self.site.status()["pool-list"]}, {"web"})
        # The same by who has a key.
        rightful = self.line(self.key("web-2"))
        registered, left = rightful.tell(*ghosts(1), *gone(1, GHOSTS), want=2)
        self.assertFalse(registered.rejected)
        self.assertIsNone(left.error)
        self.no_errors()

    def test_rapid(self):
        """However fast, on however many connections: others are served, and it is counted."""
        attackers = [self.line(self.anonymous()) for _ in range(30)]
        with self.unchanged():
            mixed = zip(ghosts(200), gone(200), strict=True)
            flooding(*attackers, messages=itertools.chain(*mixed))
            self.honest()
        self.assertGreater(self.counted("registrations_refused"), BURST)
        over = self.site.status()["limits"]["over"]
        for action in ("asap.register.join", "asap.register.new", "asap.deregister"):
            self.assertGreater(over.get(action, 0), 0, action)
        for each in attackers:
            each.close()
        # Each is in the audit log, and not each has a line there.
        refused = lambda: self.counted("registrations_refused")  # noqa: E731
        until(lambda: self.lines("registration.refused")[1] == refused(), 10)
        lines, _ = self.lines("registration.refused")
        self.assertLess(len(lines), refused() / 5)
        self.assertEqual({line["address"] for line in lines}, {"127.0.0.1"})
        self.no_errors()

    def test_without_tls(self):
        """Where TLS is wanted, what comes without, or before it is done, is never looked at."""
        data = b"".join(asap.encode(each) for each in (*ghosts(3), *gone(1)))
        record = bytes((APPLICATION_DATA, 3, 3)) + len(data).to_bytes(2, "big") + data
        for secret in (self.secret(), b"k" * 32):
            tls = self.key(secret=secret).clientConnectionForTLS(None)
            tls.set_connect_state()
            self.assertRaises(SSL.WantReadError, tls.do_handshake)
            hello = tls.bio_read(16384)
            for octets in (data, record, hello + record, hello + data, record + hello):
                with self.unchanged(), self.line() as line:
                    line.put(octets)
                    self.assertTrue(line.closed())
        [line] = self.audited(what="handshake.refused")[:1]
        self.assertEqual((line["proof"], line["address"]), ("anonymous", "127.0.0.1"))
        for name in ("registrations_refused", "deregistrations_refused", "bad_messages"):
            self.assertEqual(self.counted(name), 0)
        self.no_errors()


class Guessing(Flooded):
    """Who knows names, and not their keys."""

    settings = (
        *Flooded.settings,
        "--set", f"limits.handshake-failures-burst={GUESSES}",
        "--set", f"limits.handshake-failures-per-second={GUESSES_RATE}",
    )  # fmt: skip

    def alert(self, creator, **how):
        """Why TLS doesn't come about, as who calls is told; None: he is hung up on."""
        try:
            with Line(self.site.port, creator, **how) as line:
                answers = line.tell(*ghosts(1))
        except SSL.Error as error:
            return str(error)
        except OSError:
            return None
        raise AssertionError(f"let in, and answered {answers}")

    def test_guess(self):
        """A name with a wrong key, or a name that nobody has: both look alike from outside."""
        with self.unchanged():
            wrong = self.alert(self.key("web-1", b"k" * 32))
            # From elsewhere: what one address does again within a second is only counted.
            unknown = self.alert(self.key("ghost", b"k" * 32), source="127.0.3.2")
            self.assertEqual(wrong, unknown)
            self.assertIn("decrypt error", wrong)
            # To name somebody by suites for which the key isn't asked proves nothing, either.
            other = self.key("web-1", b"k" * 32, suites_13=("TLS_AES_256_GCM_SHA384",))
            self.assertIn("handshake failure", self.alert(other))
        for name, why in (("web-1", "wrong key"), ("ghost", "unknown identity")):
            [line] = self.audited(what="handshake.refused", principal=name, outcome=why)
            self.assertEqual(line["proof"], "anonymous", "it has proven nothing")
        [answer] = self.line(self.key("web-1")).tell(registration(3))
        self.assertFalse(answer.rejected)
        self.no_errors()

    def test_rapid(self):
        """An address that guesses on is shut out for a while; others don't notice."""
        source = "127.0.3.1"
        guess = self.key("web-1", b"k" * 32)
        before = self.site.status()["connections"]["failed-handshakes"]
        with self.unchanged():
            found = [self.alert(guess, source=source) for _ in range(5 * GUESSES)]
            told = [words for words in found if words is not None]
            self.assertTrue(all("decrypt error" in words for words in told))
            self.assertGreaterEqual(len(told), GUESSES)
            self.assertLess(len(told), 3 * GUESSES)
            self.honest(0.5)
        shut = found.count(None)
        connections = self.site.status()["connections"]
        failed = connections["failed-handshakes"] - before
        self.assertEqual((failed, connections["refused"]), (len(told), shut))
        until(lambda: self.lines("connection.refused")[1] == shut, 5)
        until(lambda: self.lines("handshake.refused")[1] == len(told) + before, 5)
        [line] = self.audited(what="connection.refused")[:1]
        self.assertEqual(
            (line["address"], line["rule"], line["outcome"]),
            (source, "limits", "too many failed handshakes from its address"),
        )

        def comes_back():
            try:
                with Line(self.site.port, self.key("web-3"), source=source) as line:
                    return line.tell(registration(3, address=source))
            except (SSL.Error, OSError):
                return None

        # Who has the key gets in from there, too, a moment later.
        [answer] = until(comes_back, 10)
        self.assertFalse(answer.rejected)
        self.no_errors()


class OneKey(Flooded):
    """An insider has a key that is good, and invents elements by it."""

    MOST = 20
    settings = (
        *Flooded.settings,
        "--set", "timers.keep-alive-interval=2", "--set", "timers.keep-alive-timeout=1",
        "--set", f"limits.elements-per-principal={MOST}",
    )  # fmt: skip

    def test_bounded(self):
        """It fills nothing, reconnecting gains nothing, its ghosts go; others come and stay."""
        mine = {"principal": "web-3", "proof": "psk"}
        insider = self.line(self.key("web-3"))
        answers = insider.tell(*ghosts(BURST + 10), want=BURST + 10)
        taken = [answer for answer in answers if not answer.rejected]
        full = [a for a in answers if a.error and a.error.causes == (LackOfResources(),)]
        self.assertEqual((len(taken), self.digest()["elements"]), (self.MOST, self.MOST + 1))
        self.assertGreaterEqual(len(full), BURST - self.MOST)
        for answer in answers[len(taken) + len(full) :]:
            self.refused(answer)
        with self.line(self.key("web-3")) as again:
            flooding(again, messages=ghosts(300, 2 * GHOSTS))
            [answer] = self.line(self.key("web-2")).tell(registration(2))
            self.assertFalse(answer.rejected, "who isn't over a limit may")
            until(lambda: self.site.status()["limits"]["over"].get("asap.register.new"))
            self.assertLessEqual(self.digest()["elements"], self.MOST + 2)
        self.audited(what="registration.refused", outcome="LackOfResources", **mine)
        self.audited(what="registration.refused", rule="limits", **mine)
        # Nobody answers for them.
        until(lambda: self.digest()["elements"] == 1, 15)
        self.assertEqual(self.counted("elements_silent") + self.counted("elements_lost"),
                         self.counted("registrations_new")
                         + self.counted("registrations_joined") - 1)  # fmt: skip
        self.audited(what="element.silent", pe_id=f"{GHOSTS:#010x}")
        [answer] = self.line(self.anonymous()).tell(RESOLUTION)
        self.assertEqual([e.identifier for e in answer.elements], [1])
        self.no_errors()
