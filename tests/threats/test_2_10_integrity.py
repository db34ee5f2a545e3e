"""RFC 5355 section 2.10: what is on its way is corrupted, by chance or by somebody."""

import time

from OpenSSL import SSL

from rserpool.client.security import Certified
from rserpool.security.certificate.make import load
from rserpool.wire import asap, enrp
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.middle import DOWN, END, UP, Middle, untouched
from tests.threats.scene import Attacked, Line
from tests.threats.scope import ROGUE, Scoped, described, update

#: Whoever corrupts thousands of connections would be shut out soon; here each has to be tried.
NO_LIMITS = (
    "--set", "limits.handshake-failures-per-second=0",
    "--set", "limits.connections-per-second=0",
)  # fmt: skip
#: Of the content types of TLS, the one of messages, and of most of a handshake.
APPLICATION_DATA = 23
#: As many as a handshake has one way, at most.
HANDSHAKE_RECORDS = 5
RESOLUTION = asap.HandleResolution(handle=b"web")
JOINING, LEAVING = registration(9), asap.Deregistration(handle=b"web", identifier=9)


def flipped(way, number, at, bit):
    """Change one bit of one record; if that was its length, more would be waited for."""

    def change(its_way, its_number, record):
        if (its_way, its_number) != (way, number):
            return [record]
        place = at % len(record)
        octets = bytearray(record)
        octets[place] ^= bit
        return [bytes(octets), END] if place in (3, 4) else [bytes(octets)]

    return change


def places(record, each):
    """The header, the tag, and each so-and-so-many octets in between."""
    return sorted({*range(5), *range(5, len(record), each), *range(-18, 0)} - {-len(record)})


def disorders(first):
    """What is done to three records, of which `first` is the number of the first."""
    kept = []

    def dropped(way, number, record):
        return [] if (way, number) == (UP, first + 1) else [record]

    def first_dropped(way, number, record):
        return [] if (way, number) == (UP, first) else [record]

    def doubled(way, number, record):
        return [record, record] if (way, number) == (UP, first) else [record]

    def exchanged(way, number, record):
        if (way, number) == (UP, first + 1):
            kept.append(record)
            return []
        if (way, number) == (UP, first + 2):
            return [record, kept.pop()]
        return [record]

    def cut_off(way, number, record):
        if (way, number) == (UP, first + 1):
            return [record[: len(record) // 2], END]
        return [record]

    def ended(way, number, record):
        return [END] if (way, number) == (UP, first + 1) else [record]

    yield "dropped", dropped
    yield "first dropped", first_dropped
    yield "doubled", doubled
    yield "exchanged", exchanged
    yield "cut off", cut_off
    yield "ended without a farewell", ended


class Corrupting(Attacked):
    """Every kind of TLS that there is, with somebody in between."""

    settings = (
        *NO_LIMITS, "--tls-minimum", "1.2",
        # Its element answers no keep-alives, and is to stay, however long this takes.
        "--set", "timers.keep-alive-interval=3600",
    )  # fmt: skip

    def prepare(self):
        """An element has a certificate."""
        files = self.site.files
        self.site.command("certificate", "issue", str(files), "--client",
                          "--name", "pe.example",
                          "--out", str(files / "pe"))  # fmt: skip
        self.settings = (*self.settings, "--auth", f"certificate:{files}/ca.pem",
                         "--auth", f"psk:{files}/elements.psk")  # fmt: skip
        rules = files / "rules.toml"
        rules.write_text(rules.read_text().replace("[roles.psk]", "[roles.certificate]", 1) +
                         '\n[roles.psk]\n'
                         'rules = ["asap.register", "asap.deregister"]\n')  # fmt: skip

    def kinds(self):
        """Version and proof of each kind of connection, and what makes it."""
        own = load(str(self.site.files / "pe.pem"), str(self.site.files / "pe.key"))
        for version in ("1.3", "1.2"):
            yield f"psk {version}", self.key(minimum=version, maximum=version)
            certified = Certified(
                str(self.site.files / "ca.pem"), client=own, minimum=version
            ).creator("127.0.0.1")
            if version == "1.2":
                certified._context.set_max_proto_version(SSL.TLS1_2_VERSION)
            yield f"certificate {version}", certified

    def said(self, middle, creator, *messages):
        """What is answered through the man in the middle, each message in a record."""
        try:
            with Line(middle.port, creator) as line:
                for message in messages[:-1]:
                    line.write(asap.encode(message))
                return line.tell(messages[-1], want=len(messages), patience=2.0)
        except (SSL.Error, OSError):
            return []

    def test_each_octet(self):
        """Nothing that was changed is ever taken for what was said, by either side."""
        self.line(self.key()).tell(registration(1))
        before = self.digest()
        middle = Middle(self, self.site.port)
        tried = 0
        for kind, creator in self.kinds():
            middle.change = untouched
            middle.records.clear()
            right = self.said(middle, creator, RESOLUTION)
            self.assertEqual([len(answer.elements) for answer in right], [1], kind)
            records = list(middle.records)
            joined = [asap.RegistrationResponse(handle=b"web", identifier=9)]
            gone = [asap.DeregistrationResponse(handle=b"web", identifier=9)]
            self.assertEqual(self.said(middle, creator, JOINING), joined, kind)
            self.assertEqual(self.said(middle, creator, LEAVING), gone, kind)
            self.assertEqual(self.digest(), before)
            numbers = {UP: 0, DOWN: 0}
            last = {
                way: max(
                    i
                    for i, r in enumerate(records)
                    if r[0] == way and r[1][0] == APPLICATION_DATA
                )
                for way in (UP, DOWN)
            }
            for index, (way, record) in enumerate(records):
                number = numbers[way]
                numbers[way] += 1
                message = index == last[way]
                for at in places(record, 3 if message else max(len(record) // 6, 3)):
                    middle.change = flipped(way, number, at, 1 << (tried % 8))
                    tried += 1
                    said = JOINING if message and way == UP else RESOLUTION
                    answers = self.said(middle, creator, said)
                    where = f"{kind}: octet {at} of {len(record)}, record {number} {way}"
                    # In the handshake's record headers nobody heeds the version.
                    allowed = ([],) if message else ([], right)
                    self.assertIn(answers, allowed, where)
                    self.assertEqual(self.digest(), before, where)
        self.assertGreater(tried, 500)
        log = self.site.log("registrar")
        self.assertRegex(log, "127.0.0.1 port .*: what came isn't what was sent: .*bad record")
        self.no_errors()

    def test_order(self):
        """What is dropped, doubled, swapped or cut off ends the connection before it counts."""
        before = self.digest()
        middle = Middle(self, self.site.port)
        elements = [registration(identifier) for identifier in (11, 12, 13)]
        whole = [asap.RegistrationResponse(handle=b"web", identifier=i) for i in (11, 12, 13)]
        for kind, creator in self.kinds():
            middle.change = untouched
            middle.records.clear()
            self.assertEqual(self.said(middle, creator, *elements), whole, kind)
            sent = [record for way, record in middle.records if way == UP]
            self.left(before)
            for way, change in disorders(len(sent) - len(elements)):
                middle.change = change
                answers = self.said(middle, creator, *elements)
                here = self.digest()["elements"] - before["elements"]
                self.assertEqual(answers, whole[: len(answers)], f"{kind}: {way}")
                self.assertLess(here, 3, f"{kind}: {way}")
                self.assertEqual(here, 0 if way == "first dropped" else 1, f"{kind}: {way}")
                self.left(before)
        self.no_errors()

    def left(self, before):
        """The rightful element takes out what has come through."""
        line = self.line(self.key())
        certified = dict(self.kinds())["certificate 1.3"]
        for creator in (line, self.line(certified)):
            creator.tell(
                *(asap.Deregistration(handle=b"web", identifier=i) for i in (11, 12, 13)),
                want=3,
            )
        self.assertEqual(self.digest(), before)

    def test_cut_answer(self):
        """Half an answer is no answer, and not an empty pool."""
        self.line(self.key()).tell(registration(1))
        middle = Middle(self, self.site.port)
        ask = ("resolve", "web", "--registrar", f"tcp:127.0.0.1:{middle.port}", "--ca",
               str(self.site.files / "ca.pem"))  # fmt: skip
        right = self.site.command(*ask)
        self.assertEqual(right.returncode, 0, right.stderr)
        self.assertIn("8001", right.stdout)
        last = sum(way == DOWN for way, _ in middle.records) - 1
        while middle.records[-1][0] == UP:
            middle.records.pop()

        def cut(way, number, record):
            return [record[:-1], END] if (way, number) == (DOWN, last) else [record]

        middle.change = cut
        cut_off = self.site.command(*ask, "--timeout", "0.7")
        self.assertEqual(cut_off.returncode, 2, cut_off.stdout)
        self.assertNotIn("8001", cut_off.stdout)


class BetweenRegistrars(Scoped):
    """The same between registrars."""

    settings = NO_LIMITS

    def test_each_octet(self):
        """Nothing that was changed is ever taken for what a registrar said, by another one."""
        middle = Middle(self, self.site.enrp_port_of("r1"))
        said = update(ROGUE, described(5, ROGUE))
        gone = update(ROGUE, described(5, ROGUE), enrp.DEL_PE)
        creator = self.peer_key()
        before = self.digest()
        question = enrp.HandleTableRequest(sender=0)

        def asked(*messages):
            try:
                with Line(middle.port, creator, decode=enrp) as line:
                    return line.tell(*messages, patience=2.0)
            except (SSL.Error, OSError):
                return []

        def told(message):
            """An update isn't answered, but whoever comes is asked who it is."""
            return asked(message)

        self.assertTrue(told(said))
        self.assertEqual(self.digest()["elements"], 1)
        update_record = [r for way, r in middle.records if way == UP][-1]
        updates = sum(way == UP for way, _ in middle.records) - 1
        self.assertTrue(told(gone))
        until(lambda: self.digest() == before)
        middle.records.clear()
        [right] = asked(question)
        answer = [r for way, r in middle.records if way == DOWN][-1]
        answers = sum(way == DOWN for way, _ in middle.records) - 1
        for at in places(update_record, 2):
            middle.change = flipped(UP, updates, at, 1 << at % 8)
            self.assertEqual(told(said), [], at)
            self.assertEqual(self.digest(), before, at)
        for at in places(answer, 2):
            middle.change = flipped(DOWN, answers, at, 1 << at % 8)
            self.assertEqual(asked(question), [], at)
        middle.change = untouched
        self.assertEqual(asked(question), [right])
        self.no_errors()


class OnTheWay(Scoped):
    """Two registrars, which call each other through men in the middle."""

    running = ("r1",)

    def prepare(self):
        """Who calls the other meets somebody else first."""
        self.middles = [self.between("r1", "r2"), self.between("r2", "r1")]

    def test_updates(self):
        """What he makes of updates isn't believed; what was said comes all the same."""
        self.site.start("r2")
        self.running = ("r1", "r2")
        until(lambda: all(self.agrees(name, 1) for name in self.running))
        line = self.line(self.key())
        line.tell(registration(1))
        known = [self.digest()]
        until(lambda: self.digest_of("r2") == known[0])
        count = 0

        def corrupt(way, number, record):
            nonlocal count
            # Those of a handshake are no updates, though they look like it.
            if record[0] != APPLICATION_DATA or number < HANDSHAKE_RECORDS:
                return [record]
            count += 1
            at = 5 + 7 * count % (len(record) - 5)
            return [record[:at] + bytes([record[at] ^ 0x01]) + record[at + 1 :]]

        for middle in self.middles:
            middle.change = corrupt
        for identifier in range(2, 8):
            line.tell(registration(identifier))
            known.append(self.digest())
            self.assertIn(self.digest_of("r2"), known)
        # In time: else each of them would think that the other one is dead.
        until(lambda: count > 1, 2)
        for middle in self.middles:
            middle.change = untouched
        end = time.monotonic() + 20
        while (found := self.digest_of("r2")) != known[-1]:
            self.assertIn(found, known)
            self.assertLess(time.monotonic(), end, "it never learns what was said")
        logs = self.site.log("r1") + self.site.log("r2")
        self.assertRegex(logs, "what came isn't what was sent: .*bad record mac")
        self.assertNotIn("another key", logs)
        self.no_errors()
