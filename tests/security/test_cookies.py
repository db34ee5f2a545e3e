"""Cookies that only a pool's elements make and read (RFC 5355 section 2.16)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security import cookies
from rserpool.security.cookies import (
    CIPHERS,
    MOST_DATA,
    NONCE_OCTETS,
    SKEW,
    CookieError,
    CookieKey,
    CookieKeyring,
    Exhausted,
    Expired,
    Tampered,
    UnknownKey,
    WrongPool,
)

ONE, TWO = bytes(range(32)), bytes(range(1, 33))
NOW = 1_800_000_000.0
LIFE = 600.0
NONCE = slice(21, 21 + NONCE_OCTETS)


def keyring(*keys, cipher="aes-256-gcm", clock=lambda: NOW):
    """A keyring; without keys, of one."""
    return CookieKeyring(keys or [CookieKey(1, ONE)], life=LIFE, cipher=cipher, clock=clock)


class Opening(SynchronousTestCase):
    """What is opened, and what isn't."""

    def setUp(self):
        """A cookie is sealed."""
        self.ring = keyring()
        self.cookie = self.ring.seal(b"web", b"state of a session")

    def refused(self, error, cookie, handle=b"web", now=NOW, ring=None):
        """It isn't taken, for this reason."""
        with self.assertRaises(CookieError) as caught:
            (ring or self.ring).open(handle, cookie, now)
        self.assertIs(type(caught.exception), error)

    def test_opened(self):
        """An element with the same keys reads it; the octets in between tell nothing."""
        for cipher in CIPHERS:
            cookie = keyring(cipher=cipher).seal(b"web", b"state of a session")
            self.assertEqual(keyring(cipher=cipher).open(b"web", cookie), b"state of a session")
            self.assertNotIn(b"session", cookie)
            self.assertNotIn(b"web", cookie)

    def test_each_octet(self):
        """A cookie with any octet changed, in any bit, isn't taken; nor is a shorter one."""
        for cipher in CIPHERS:
            ring = keyring(cipher=cipher)
            cookie = ring.seal(b"web", b"state")
            for place in range(len(cookie)):
                for bit in range(8):
                    changed = bytearray(cookie)
                    changed[place] ^= 1 << bit
                    self.assertRaises(CookieError, ring.open, b"web", bytes(changed))
                self.assertRaises(CookieError, ring.open, b"web", cookie[:place])
            self.assertRaises(CookieError, ring.open, b"web", cookie + b"\0")

    def test_kinds(self):
        """Which of them it is, by what was changed."""
        changed = bytearray(self.cookie)
        changed[0] = 2
        self.refused(Tampered, bytes(changed))
        self.refused(Tampered, b"")
        changed = bytearray(self.cookie)
        changed[4] = 9
        self.refused(UnknownKey, bytes(changed))
        self.refused(Tampered, self.cookie[:-1])

    def test_longer_life(self):
        """Nobody makes one live longer by changing its end."""
        changed = bytearray(self.cookie)
        changed[13:21] = (2**62).to_bytes(8, "big")
        self.refused(Tampered, bytes(changed), now=NOW + 10 * LIFE)

    def test_expired(self):
        """One that is echoed when its life is over isn't taken; a moment before it is."""
        self.assertEqual(self.ring.open(b"web", self.cookie, NOW + LIFE - 0.01)[:5], b"state")
        self.refused(Expired, self.cookie, now=NOW + LIFE)

    def test_future(self):
        """A clock may be a minute ahead, no more."""
        self.ring.open(b"web", self.cookie, NOW - SKEW)
        self.refused(Expired, self.cookie, now=NOW - SKEW - 0.01)

    def test_wrong_pool(self):
        """One of another pool with the same keys isn't taken, nor if handles run together."""
        self.refused(WrongPool, self.cookie, b"db")
        self.refused(WrongPool, self.ring.seal(b"webx", b"y"), b"web")
        self.refused(WrongPool, self.ring.seal(b"", b"web"), b"web")

    def test_swapped_nonce(self):
        """The nonce of another cookie doesn't fit."""
        other = self.ring.seal(b"web", b"state of a session")
        self.assertNotEqual(self.cookie[NONCE], other[NONCE])
        changed = bytearray(self.cookie)
        changed[NONCE] = other[NONCE]
        self.refused(Tampered, bytes(changed))

    def test_other_keyring(self):
        """One sealed by other keys isn't taken, whatever its number says; nor by a cipher."""
        self.refused(Tampered, self.cookie, ring=keyring(CookieKey(1, TWO)))
        self.refused(UnknownKey, self.cookie, ring=keyring(CookieKey(2, ONE)))
        self.refused(Tampered, self.cookie, ring=keyring(cipher="chacha20-poly1305"))

    def test_no_secrets(self):
        """Neither repr nor an error shows a key."""
        shown = [repr(self.ring), repr(CookieKey(1, ONE)), repr(vars(self.ring)["_keys"])]
        for changed in (self.cookie[:-1] + b"\0", b"x" * 80):
            try:
                self.ring.open(b"web", changed)
            except CookieError as error:
                shown.append(repr(error))
        for text in shown:
            self.assertNotIn(ONE.hex(), text)
            self.assertNotIn(repr(ONE)[2:-1], text)

    def test_too_long(self):
        """What doesn't fit isn't sealed."""
        self.assertEqual(len(self.ring.open(b"web", self.ring.seal(b"web", bytes(MOST_DATA)))),
                         MOST_DATA)  # fmt: skip
        self.assertRaises(ValueError, self.ring.seal, b"web", bytes(MOST_DATA + 1))
        self.refused(Tampered, bytes(200_000))

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.binary(max_size=2000), st.sampled_from(sorted(CIPHERS)))
    def test_round_trip(self, handle, data, cipher):
        """Whatever is sealed for a pool is opened for it, and for no other."""
        ring = keyring(cipher=cipher)
        cookie = ring.seal(handle, data)
        self.assertEqual(ring.open(handle, cookie), data)
        self.assertRaises(WrongPool, ring.open, handle + b"x", cookie)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=400))
    def test_anything(self, octets):
        """Whatever is echoed, nothing but a CookieError comes of it."""
        self.assertRaises(CookieError, self.ring.open, b"web", octets)
        head = self.cookie[:21]
        self.assertRaises(CookieError, self.ring.open, b"web", head + octets)


class Keys(SynchronousTestCase):
    """Several keys."""

    def test_newest_seals(self):
        """The newest in force seals; all that aren't over open."""
        old, new = CookieKey(1, ONE), CookieKey(2, TWO)
        cookie = keyring(old).seal(b"web", b"x")
        both = keyring(new, old)
        self.assertEqual(both.open(b"web", cookie), b"x")
        self.assertEqual(keyring(new).open(b"web", both.seal(b"web", b"y")), b"y")

    def test_not_begun(self):
        """One that hasn't begun doesn't seal, but opens what a faster clock has sealed."""
        later = CookieKey(2, TWO, not_before=NOW + 10)
        ring = keyring(CookieKey(1, ONE), later)
        self.assertEqual(keyring().open(b"web", ring.seal(b"web", b"x")), b"x")
        ahead = ring.seal(b"web", b"y", NOW + 10)
        self.assertEqual(ring.open(b"web", ahead, NOW), b"y")
        self.assertRaises(UnknownKey, keyring().open, b"web", ahead)

    def test_rotated_out(self):
        """One that is over opens nothing, though the cookie would live."""
        cookie = keyring().seal(b"web", b"x")
        ring = keyring(CookieKey(1, ONE, not_after=NOW + 5), CookieKey(2, TWO))
        self.assertEqual(ring.open(b"web", cookie, NOW + 4.9), b"x")
        self.assertRaises(UnknownKey, ring.open, b"web", cookie, NOW + 5)
        ring.replace([CookieKey(2, TWO)])
        self.assertRaises(UnknownKey, ring.open, b"web", cookie, NOW)

    def test_bound(self):
        """After so many cookies a key seals no more, though it opens, until it is rotated."""
        self.patch(cookies, "MOST_SEALED", 3)
        ring = keyring()
        cookie = ring.seal(b"web", b"x")
        ring.seal(b"web", b"x"), ring.seal(b"web", b"x")
        self.assertRaises(Exhausted, ring.seal, b"web", b"x")
        ring.replace([CookieKey(1, ONE)])  # the same one, read again
        self.assertRaises(Exhausted, ring.seal, b"web", b"x")
        self.assertEqual(ring.open(b"web", cookie), b"x")
        ring.replace([CookieKey(1, ONE), CookieKey(2, TWO)])
        ring.seal(b"web", b"x")

    def test_none_in_force(self):
        """Without a key in force nothing is sealed."""
        for key in (CookieKey(1, ONE, not_before=NOW + 1), CookieKey(1, ONE, not_after=NOW)):
            self.assertRaises(Exhausted, keyring(key).seal, b"web", b"x")

    def test_clock(self):
        """The clock may be any that is given."""
        times = [NOW, NOW + LIFE + 1]
        ring = keyring(clock=lambda: times.pop(0))
        cookie = ring.seal(b"web", b"x")
        self.assertRaises(Expired, ring.open, b"web", cookie)

    def test_bad(self):
        """Keys, lives and ciphers that are no good are refused."""
        self.assertRaises(ValueError, CookieKey, 1, b"short")
        self.assertRaises(ValueError, CookieKey, 0, ONE)
        self.assertRaises(ValueError, CookieKey, 1 << 32, ONE)
        self.assertRaises(ValueError, CookieKeyring, [], life=1)
        for life in (0, -1, float("inf"), float("nan")):
            self.assertRaises(ValueError, CookieKeyring, [CookieKey(1, ONE)], life=life)
        self.assertRaises(ValueError, keyring, CookieKey(1, ONE), CookieKey(1, TWO))
        self.assertRaises(ValueError, keyring, cipher="rot13")
