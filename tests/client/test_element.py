"""A pool element's side of ASAP (RFC 5352 sections 3.1, 3.2 and 3.4)."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import RSPLIB, What
from rserpool.client.effects import CancelTimer, Hunt, Tell
from rserpool.client.element import (
    EXPIRED_PAUSE,
    MAX_REG_ATTEMPT,
    PAUSE,
    RETRAN_MAX,
    RETRY,
    T2,
    T2_SECONDS,
    T3,
    T3_SECONDS,
    T4,
    Element,
)
from rserpool.client.floods import KEEP_ALIVES_BURST, KEEP_ALIVES_PER_SECOND, OTHERS_BURST
from rserpool.wire import asap, causes
from rserpool.wire.errors import EncodeError
from rserpool.wire.parameters import OperationError
from rserpool.wire.policies import LeastUsed, WeightedRoundRobin
from tests.client.scene import (
    HOME,
    granted,
    keep_alive,
    membership,
    rejected,
    removed,
    sent,
    timers,
    told,
)


class Case(SynchronousTestCase):
    """An element, and what its registrar says to it."""

    def setUp(self):
        """It is linked and wants to join."""
        self.element = Element(membership())
        self.now = 1000.0
        self.element.linked(0.0)
        self.joined = self.element.join()

    def hear(self, message):
        """The registrar says this."""
        return self.element.arrived(asap.encode(message), self.now)


class Registering(Case):
    """Into the pool (section 3.1)."""

    def test_registration(self):
        """It registers as what it is, with its PE identifier (R2), and T2 runs (R4)."""
        [message] = sent(self.joined)
        member = self.element.membership
        self.assertEqual((message.handle, message.element.identifier), (b"web", 0x2A))
        self.assertEqual(message.element.user_transport, member.transport)
        self.assertEqual((message.element.policy, message.element.life), (member.policy, 300))
        self.assertEqual(timers(self.joined), {T2: T2_SECONDS})

    def test_only_when_wanted(self):
        """A registrar alone makes no registration: the application must want it."""
        self.assertEqual(Element(membership()).linked(0.0), [])

    def test_only_when_linked(self):
        """Nothing is sent without a home registrar; it is when there is one."""
        element = Element(membership())
        self.assertEqual(sent(element.join()), [])
        self.assertEqual([m.handle for m in sent(element.linked(0.0))], [b"web"])

    def test_bad_membership(self):
        """A handle that no message can hold is refused before anything is started."""
        self.assertRaises(EncodeError, Element, membership(handle=b"x" * 70000))

    def test_granted(self):
        """A grant stops T2, starts T4, and is told once."""
        effects = self.hear(granted())
        self.assertIn(CancelTimer(T2), effects)
        self.assertEqual((timers(effects), told(effects)), ({T4: 280}, [What.REGISTERED]))
        self.assertTrue(self.element.registered)

    def test_renewal(self):
        """When T4 rings it registers again, with the same PE identifier."""
        self.hear(granted())
        effects = self.element.rang(T4)
        [message] = sent(effects)
        self.assertEqual((message.element.identifier, timers(effects)), (0x2A, {T2: 30.0}))
        self.assertEqual(told(self.hear(granted())), [What.RENEWED])

    def test_renewal_time(self):
        """T4 is ten minutes or 20 s less than the life; of a short life, two thirds of it."""
        for life, seconds in (
            (-1, 600), (86400, 600), (620, 600), (300, 280), (61, 41), (60, 40), (30, 20),
            (3, 2), (1, 2 / 3),
        ):  # fmt: skip
            element = Element(membership(life=life))
            element.linked(0.0)
            element.join()
            effects = element.arrived(asap.encode(granted()), 0.0)
            self.assertAlmostEqual(timers(effects)[T4], seconds, msg=f"life {life}")
            if life > 0:
                self.assertLess(timers(effects)[T4], life)

    def test_rsplib(self):
        """To a registrar of rsplib lives are milliseconds, and renewed at each third."""
        element = Element(membership(life=15), RSPLIB)
        element.linked(0.0)
        [message] = sent(element.join())
        self.assertEqual(message.element.life, 15000)
        effects = element.arrived(asap.encode(granted()), 0.0)
        self.assertEqual(timers(effects)[T4], 5)
        for life in (-1, 86400):
            element = Element(membership(life=life), RSPLIB)
            element.linked(0.0)
            [message] = sent(element.join())
            self.assertEqual(message.element.life, -1 if life < 0 else 86400000)
            effects = element.arrived(asap.encode(granted()), 0.0)
            self.assertEqual(timers(effects)[T4], 600)

    def test_long_handle(self):
        """A handle that would abort a registrar of rsplib is never sent to one."""
        with self.assertRaises(EncodeError) as caught:
            Element(membership(handle=bytes(33)), RSPLIB)
        self.assertIn("would abort", str(caught.exception))
        Element(membership(handle=bytes(32)), RSPLIB)
        Element(membership(handle=bytes(33)))

    def test_named_keep_alive(self):
        """A keep-alive that names another element of the pool isn't answered."""
        for identifier, answers in ((None, 1), (membership().identifier, 1), (0xBAD, 0)):
            asked = asap.EndpointKeepAlive(
                new_home=True, server=9, handle=membership().handle, identifier=identifier
            )
            self.element.home = 0
            effects = self.element.arrived(asap.encode(asked), 100.0)
            self.assertEqual(len(sent(effects)), answers)
            self.assertEqual(self.element.home, 9 if answers else 0)

    def test_timeout(self):
        """When T2 rings it looks for another registrar, and registers there."""
        [hunt] = self.element.rang(T2)
        self.assertIsInstance(hunt, Hunt)
        self.element.unlinked()
        self.assertEqual(len(sent(self.element.linked(0.0))), 1)

    def test_update(self):
        """A new policy value is registered at once, under the same identifier."""
        self.hear(granted())
        member = attrs.evolve(membership(), policy=LeastUsed(load=7))
        [message] = sent(self.element.update(member))
        self.assertEqual(message.element.policy, LeastUsed(load=7))

    def test_update_without_telling(self):
        """A value that changed little is told by the next renewal."""
        self.hear(granted())
        member = attrs.evolve(membership(), policy=LeastUsed(load=7))
        self.assertEqual(self.element.update(member, tell=False), [])
        [message] = sent(self.element.rang(T4))
        self.assertEqual(message.element.policy, LeastUsed(load=7))

    def test_another_ones_answer(self):
        """Answers for other handles or identifiers are let go in silence."""
        for answer in (granted(b"db"), granted(identifier=7), removed(handle=b"db")):
            self.assertEqual(self.hear(answer), [])
        self.assertFalse(self.element.registered)

    def test_home_lost(self):
        """It isn't registered any more as far as it knows, and no timer runs on."""
        self.hear(granted())
        effects = self.element.unlinked()
        self.assertEqual(effects, [CancelTimer(name) for name in (T2, T3, T4, RETRY)])
        self.assertFalse(self.element.registered)
        self.element.linked(0.0)
        self.assertEqual(told(self.hear(granted())), [What.REGISTERED])

    def test_expired(self):
        """When the registrar ends the registration, it is told and made again, not at once."""
        self.hear(granted())
        effects = self.hear(removed())
        self.assertEqual(told(effects), [What.EXPIRED])
        self.assertEqual((sent(effects), timers(effects)), ([], {RETRY: EXPIRED_PAUSE}))
        self.assertEqual(len(sent(self.element.rang(RETRY))), 1)

    def test_nonsense(self):
        """A registrar that sends nonsense is left."""
        [hunt] = self.element.arrived(b"\x03\x00\x00\x02", 0.0)
        self.assertIn("nonsense", hunt.reason)

    def test_unknown_parameter_is_reported(self):
        """What must be reported by its type's bits is reported in an ASAP_ERROR."""
        data = asap.encode(granted())
        odd = b"\xc0\xff\x00\x08oddo"
        data = data[:2] + (len(data) + 8).to_bytes(2, "big") + data[4:] + odd
        effects = self.element.arrived(data, 0.0)
        [error] = sent(effects)
        self.assertIsInstance(error.error.causes[0], causes.UnrecognizedParameter)
        self.assertIn(What.REGISTERED, told(effects))

    def test_error(self):
        """An ASAP_ERROR is told, and never answered."""
        error = asap.Error(error=OperationError(causes=(causes.LackOfResources(),)))
        effects = self.hear(error)
        self.assertEqual((sent(effects), told(effects)), ([], [What.COMPLAINED]))


class Rejected(Case):
    """Out of the pool: what is tried again and what isn't."""

    def test_for_good(self):
        """Without a correction, what is wrong with the element isn't tried again."""
        for cause in (
            causes.InconsistentPolicy(policy=WeightedRoundRobin(weight=1)),
            causes.InconsistentTransport(transport=None),
            causes.InconsistentDataControl(),
            causes.NonUniquePEIdentifier(),
            causes.InvalidValues(parameter=b""),
        ):
            self.setUp()
            effects = self.hear(rejected(cause))
            self.assertEqual((told(effects), timers(effects)), ([What.REFUSED], {}))
            self.assertEqual((self.element.rang(RETRY), self.element.linked(0.0)), ([], []))

    def test_correction(self):
        """After a correction the application may join again."""
        self.hear(rejected(causes.NonUniquePEIdentifier()))
        self.element.update(membership(identifier=7))
        [message] = sent(self.element.join())
        self.assertEqual(message.element.identifier, 7)

    def test_words(self):
        """A refusal says what is wrong, and what the pool has instead."""
        policy = WeightedRoundRobin(weight=1)
        effects = self.hear(rejected(causes.InconsistentPolicy(policy=policy)))
        self.assertIn("another policy: WeightedRoundRobin (cause 0x5)", str(effects[-1]))

    def test_for_now(self):
        """What passes by itself is tried again, after a pause that doubles up to RETRAN-MAX."""
        pauses = []
        for _ in range(1200):
            effects = self.hear(rejected(causes.LackOfResources()))
            pauses.append(timers(effects)[RETRY])
            self.element.rang(RETRY)
        self.assertEqual(pauses[:5], [PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE, RETRAN_MAX])
        self.assertEqual(pauses[-1], RETRAN_MAX)

    def test_security_may_pass(self):
        """A registrar refuses what exceeds a rate with 0xa, too: that is tried again."""
        for cause in ((causes.RejectedForSecurity(),), ()):
            self.setUp()
            self.assertEqual(told(self.hear(rejected(*cause))), [What.REJECTED])

    def test_too_often(self):
        """More than MAX-REG-ATTEMPT failures in a row are told, once."""
        notices = []
        for _ in range(MAX_REG_ATTEMPT + 5):
            notices += told(self.hear(rejected(causes.LackOfResources())))
        self.assertEqual(notices.count(What.FAILED), 1)
        self.assertEqual(notices[MAX_REG_ATTEMPT + 1], What.FAILED)

    def test_silence_counts(self):
        """Registrars that don't answer count as failed attempts, too."""
        notices = [what for _ in range(4) for what in told(self.element.rang(T2))]
        self.assertEqual(notices, [What.FAILED])

    def test_success_forgets(self):
        """A success sets the count to zero."""
        for _ in range(MAX_REG_ATTEMPT):
            self.hear(rejected(causes.LackOfResources()))
        self.hear(granted())
        effects = self.hear(rejected(causes.LackOfResources()))
        self.assertEqual((told(effects), timers(effects)), ([What.REJECTED], {RETRY: PAUSE}))


class Leaving(Case):
    """Out of the pool (section 3.2)."""

    def test_deregistration(self):
        """It de-registers by handle and identifier (D1, D2), and T3 runs (D4)."""
        self.hear(granted())
        effects = self.element.withdraw()
        [message] = sent(effects)
        self.assertEqual((message.handle, message.identifier), (b"web", 0x2A))
        self.assertEqual(timers(effects), {T3: T3_SECONDS})
        self.assertIn(CancelTimer(T4), effects)

    def test_confirmed(self):
        """The answer stops T3, and it isn't made a member again."""
        self.hear(granted())
        self.element.withdraw()
        effects = self.hear(removed())
        self.assertEqual((told(effects), sent(effects)), ([What.WITHDRAWN], []))
        self.assertIn(CancelTimer(T3), effects)
        self.assertEqual(self.element.linked(0.0), [])

    def test_never_registered(self):
        """What was never registered has left at once."""
        element = Element(membership())
        element.linked(0.0)
        effects = element.withdraw()
        self.assertEqual((sent(effects), told(effects)), ([], [What.WITHDRAWN]))

    def test_registration_on_its_way(self):
        """A registration that isn't answered yet is taken back."""
        self.assertEqual(len(sent(self.element.withdraw())), 1)
        self.assertEqual(told(self.hear(granted())), [])
        self.assertFalse(self.element.registered)
        self.assertEqual(told(self.hear(removed())), [What.WITHDRAWN])

    def test_rejected_before(self):
        """What was rejected has nothing to take back."""
        self.hear(rejected(causes.LackOfResources()))
        effects = self.element.withdraw()
        self.assertEqual((sent(effects), told(effects)), ([], [What.WITHDRAWN]))
        self.assertIn(CancelTimer(RETRY), effects)

    def test_renewal_rejected_before(self):
        """After a rejected renewal the old entry may live, and is taken back."""
        self.hear(granted())
        self.element.rang(T4)
        self.hear(rejected(causes.LackOfResources()))
        self.assertEqual(len(sent(self.element.withdraw())), 1)

    def test_without_home(self):
        """While there is no home it waits for one, and de-registers there."""
        self.hear(granted())
        self.element.unlinked()
        self.assertEqual(sent(self.element.withdraw()), [])
        [message] = sent(self.element.linked(0.0))
        self.assertIsInstance(message, asap.Deregistration)

    def test_timeout(self):
        """When T3 rings it looks for another registrar, and de-registers there."""
        self.hear(granted())
        self.element.withdraw()
        [hunt] = self.element.rang(T3)
        self.assertIsInstance(hunt, Hunt)
        self.element.unlinked()
        [message] = sent(self.element.linked(0.0))
        self.assertIsInstance(message, asap.Deregistration)

    def test_denied(self):
        """A registrar that refuses to let it leave is reported as such."""
        self.hear(granted())
        self.element.withdraw()
        effects = self.hear(removed(causes.RejectedForSecurity()))
        self.assertEqual(told(effects), [What.RETAINED])

    def test_back_again(self):
        """Whoever joins again while leaving isn't taken for expired by the late answer."""
        self.hear(granted())
        self.element.withdraw()
        self.assertIn(CancelTimer(T3), self.element.join())
        self.assertEqual(self.hear(removed()), [])
        self.assertEqual(told(self.hear(granted())), [What.RENEWED])

    def test_late_answer(self):
        """An answer that comes when nothing was asked changes nothing."""
        self.hear(granted())
        self.element.withdraw()
        self.hear(removed())
        self.assertEqual(self.hear(removed()), [])


class KeepAlive(Case):
    """Showing that it lives (section 3.4)."""

    def test_answer(self):
        """It answers with its handle and identifier (KA2.1, KA2.2)."""
        [ack] = sent(self.hear(keep_alive()))
        self.assertEqual((ack.handle, ack.identifier), (b"web", 0x2A))

    def test_wrong_handle(self):
        """A keep-alive for another handle is discarded in silence (KA1)."""
        self.assertEqual(self.hear(keep_alive(b"db")), [])

    def test_home_is_learnt(self):
        """The first keep-alive tells who the home is; the next registration says it."""
        self.hear(keep_alive())
        [message] = sent(self.element.rang(T4))
        self.assertEqual(message.element.home, HOME)

    def test_home_is_told(self):
        """Whom the first keep-alive shows as home is told to the application, once."""
        effects = self.hear(keep_alive())
        [notice] = [effect.notice for effect in effects if type(effect) is Tell]
        self.assertEqual((notice.what, notice.words), (What.IDENTIFIED, f"{HOME:#010x}"))
        self.assertEqual(told(self.hear(keep_alive())), [])

    def test_adoption(self):
        """With the H flag, another sender is adopted as home (KA2.4), and registered with."""
        self.hear(keep_alive())
        effects = self.hear(keep_alive(server=0x22222222, new_home=True))
        self.assertEqual((told(effects), self.element.home), ([What.ADOPTED], 0x22222222))
        [ack] = sent(effects)
        self.assertEqual((ack.handle, ack.identifier), (b"web", 0x2A))
        [message] = sent(self.element.rang(T4))
        self.assertEqual(message.element.home, 0x22222222)

    def test_adoption_without_home(self):
        """With the H flag the sender is adopted also when no home is known yet (KA2.4)."""
        effects = self.hear(keep_alive(new_home=True))
        self.assertEqual((told(effects), self.element.home), ([What.ADOPTED], HOME))
        self.assertEqual(len(sent(effects)), 1)
        self.assertEqual(told(self.hear(keep_alive(new_home=True))), [])

    def test_no_adoption_for_others(self):
        """A keep-alive for another pool adopts nobody (KA1)."""
        self.assertEqual(self.hear(keep_alive(b"db", new_home=True)), [])
        self.assertEqual(self.element.home, 0)

    def test_home_before(self):
        """With a new connection the home is unknown again, and learnt from a keep-alive."""
        self.hear(keep_alive())
        self.element.unlinked()
        [message] = sent(self.element.linked(0.0))
        self.assertEqual(message.element.home, 0)
        self.hear(granted())
        effects = self.hear(keep_alive(server=0x22222222))
        self.assertEqual((told(effects), self.element.home), ([What.IDENTIFIED], 0x22222222))

    def test_no_adoption(self):
        """Without the H flag the home stays what it is."""
        self.hear(keep_alive())
        self.hear(keep_alive(server=0x22222222))
        self.assertEqual(self.element.home, HOME)

    def acks(self, count, **what):
        """How many of so many keep-alives in one moment are answered."""
        return sum(len(sent(self.hear(keep_alive(**what)))) for _ in range(count))

    def test_budget(self):
        """What an honest registrar sends, three times over, is always answered."""
        for _ in range(600):
            self.now += 1 / KEEP_ALIVES_PER_SECOND
            self.assertEqual(self.acks(1), 1)
        self.assertEqual(self.element.floods.count, 0)

    def test_flood(self):
        """What exceeds the budget isn't answered, and the registrar is left, and told why."""
        self.assertEqual(self.acks(KEEP_ALIVES_BURST), KEEP_ALIVES_BURST)
        [hunt] = self.hear(keep_alive())
        self.assertEqual(hunt, Hunt("it floods us with keep-alives"))
        self.assertEqual((self.element.floods.count, self.element.registered), (1, False))

    def test_budget_for_all_homes(self):
        """A registrar called again, or another one, has no new budget, but it refills."""
        self.acks(KEEP_ALIVES_BURST)
        self.element.unlinked()
        self.element.linked(self.now)
        [hunt] = self.hear(keep_alive(server=0x22222222))
        self.assertIsInstance(hunt, Hunt)
        self.now += 1.0
        self.assertEqual(self.acks(100), KEEP_ALIVES_PER_SECOND)

    def test_adoption_floods(self):
        """Registrars that would all be home have the same budget; beyond it none is adopted."""
        for number in range(1, KEEP_ALIVES_BURST + 1):
            self.assertEqual(self.acks(1, server=number, new_home=True), 1)
        [hunt] = self.hear(keep_alive(server=0x7777, new_home=True))
        self.assertIsInstance(hunt, Hunt)
        self.assertEqual(self.element.home, KEEP_ALIVES_BURST)

    def test_other_floods(self):
        """So is what else comes unasked: keep-alives for others, ends, errors, the unknown."""
        error = asap.Error(error=OperationError(causes=(causes.LackOfResources(),)))
        for message in (keep_alive(b"db"), removed(), granted(), granted(b"db"), error):
            self.setUp()
            self.hear(granted())
            answers = [self.hear(message) for _ in range(OTHERS_BURST)]
            self.assertFalse([e for effects in answers for e in effects if type(e) is Hunt])
            [hunt] = self.hear(message)
            self.assertIn("it floods us with", hunt.reason)

    def test_unknown_messages(self):
        """Nor can it be made to send errors for ever."""
        odd = b"\x60\x00\x00\x04"  # its highest bits, 01, want a report
        answers = []
        for _ in range(100):
            answers += self.element.arrived(odd, self.now)
        self.assertEqual(len(sent(answers)), OTHERS_BURST)

    def test_what_was_asked_for(self):
        """Answers to what we have sent are no flood, however often our load changes."""
        self.hear(granted())
        for number in range(200):
            self.element.update(membership(policy=LeastUsed(load=number)))
            self.assertEqual(told(self.hear(granted())), [What.RENEWED])
