"""The registrar as a whole: what it does with what isn't a plain request."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.effects import Send
from rserpool.security.budgets import Budgets, Rates
from rserpool.security.gate import Gate
from rserpool.security.rules.file import parse
from rserpool.wire import asap, causes
from rserpool.wire.parameters import OperationError
from tests.registrar.scene import Scene, registration


class Asked:
    """Asks a policy."""

    policy = parse('[roles.all]\nrules = ["asap"]', "rules")

    def decide(self, subject, request):
        """As the rules say."""
        return self.policy.decide(subject.name, subject.proof, request)


class Audited(SynchronousTestCase):
    """Each change of state says by whom, what it was, and by whose rule."""

    def setUp(self):
        self.scene = Scene(gate=Gate(Asked(), Budgets(Rates()), required=True))
        self.owner = self.scene.channel("web-1")

    def audits(self):
        """What was written, in short."""
        return [(a.what, a.action, a.rule, a.principal) for a in self.scene.audits]

    def test_coming_and_leaving(self):
        """A registration and a de-registration, by another connection of the same principal."""
        self.scene.register(self.owner, 1)
        self.scene.register(self.owner, 2)
        self.scene.lose(self.owner)
        again = self.scene.channel("web-1")
        self.scene.tell(again, asap.Deregistration(handle=b"web", identifier=1))
        rule = "rules: roles.all"
        self.assertEqual(self.audits(), [
            ("element.new", "asap.register.new", rule, "web-1"),
            ("element.joined", "asap.register.join", rule, "web-1"),
            ("element.deregistered", "asap.deregister", rule, "web-1"),
        ])  # fmt: skip
        self.assertIs(self.scene.audits[-1].subject, again.subject)

    def test_gone(self):
        """One that has gone is its principal's still, though it has no connection."""
        self.scene.register(self.owner, 1)
        self.scene.lose(self.owner)
        self.scene.wait(60)
        self.assertEqual(self.audits()[-1], ("element.lost", "", "", "web-1"))
        self.assertIsNone(self.scene.audits[-1].subject)


class Odd(SynchronousTestCase):
    """Messages that can't be served."""

    def setUp(self):
        self.scene = Scene()
        self.peer = self.scene.channel()

    def causes(self, data):
        """The causes of the error that comes back for `data`."""
        answers = self.scene.tell(self.peer, data)
        return [c for a in answers if isinstance(a, asap.Error) for c in a.error.causes]

    def test_unknown_message(self):
        """An unknown type 01xxxxxx is reported; 00xxxxxx is dropped (RFC 5354 section 4)."""
        data = bytes.fromhex("4f000004")
        self.assertEqual(self.causes(data), [causes.UnrecognizedMessage(message=data)])
        for head in ("0f", "8f", "cf"):
            self.assertEqual(self.causes(bytes.fromhex(head + "000004")), [])

    def test_unknown_parameter(self):
        """Unknown parameters are reported by their two highest bits, and skipped or not."""
        for first, done, told in (("0", 0, 0), ("4", 0, 1), ("8", 1, 0), ("c", 1, 1)):
            strange = bytes.fromhex(first + "fff0004")
            plain = asap.encode(registration())
            data = bytes([1, 0]) + (len(plain) + 4).to_bytes(2, "big") + plain[4:] + strange
            answers = self.scene.tell(self.scene.channel(), data)
            kinds = [type(answer) for answer in answers]
            self.assertEqual(kinds.count(asap.RegistrationResponse), done, first)
            self.assertEqual(kinds.count(asap.Error), told, first)

    def test_malformed(self):
        """A malformed message is answered with Invalid Values and changes nothing."""
        [cause] = self.causes(bytes.fromhex("0100000800090003"))
        self.assertIsInstance(cause, causes.InvalidValues)
        self.assertEqual(self.scene.registrar.handlespace.pools, {})

    def test_malformed_for_ever(self):
        """A peer that sends only nonsense is disconnected."""
        for _ in range(99):
            self.scene.tell(self.peer, bytes.fromhex("0100000800090003"))
        self.assertEqual(self.scene.closed, [])
        self.scene.tell(self.peer, bytes.fromhex("0100000800090003"))
        self.assertEqual(len(self.scene.closed), 1)

    def test_not_for_registrars(self):
        """What only elements and users understand is dropped; an error is never answered."""
        error = asap.Error(error=OperationError(causes=(causes.Unspecified(),)))
        response = asap.RegistrationResponse(
            rejected=False, handle=b"web", identifier=1, error=None
        )
        self.assertEqual(self.scene.tell(self.peer, error, response), [])
        self.assertEqual(self.scene.registrar.counters.unexpected_messages, 2)

    def test_acknowledgement_of_nothing(self):
        """An acknowledgement for an element that doesn't exist does nothing."""
        ack = asap.EndpointKeepAliveAck(handle=b"web", identifier=1)
        self.assertEqual(self.scene.tell(self.peer, ack), [])


class Joined(SynchronousTestCase):
    """The answers to one read."""

    def test_one_write(self):
        """All answers to the messages of one read are one effect, in their order."""
        scene = Scene()
        pe = scene.channel()
        messages = [asap.encode(registration(number)) for number in (1, 2, 3)]
        effects = scene.registrar.arrived(pe, messages, 0.0)
        sends = [effect for effect in effects if isinstance(effect, Send)]
        self.assertEqual(len(sends), 1)
        scene.perform(sends)
        self.assertEqual([m.identifier for m in scene.sent[pe]], [1, 2, 3])
