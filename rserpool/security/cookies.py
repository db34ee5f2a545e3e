"""
Cookies that only the elements of a pool can make and read (RFC 5355 section 2.16).

An element may give its user a cookie, which the user takes unread to the next element when that
one fails (RFC 5352 section 3.8): "a cookie should be signed by the sending PE ASAP Endpoint and
the cookie should be verified by the receiving".  What an application puts into one is sealed
here by keys that its elements share: nobody else reads it, changes it, or makes one.

Note [What a cookie looks like]

=======  =======================================================================
octets
1        version: 1
4        number of the key
8, 8     when it was sealed and when it ends, in milliseconds since the epoch
12       nonce, random
2, ...   length of the pool handle, the handle, the data: encrypted
16       tag, over all of the above
=======  =======================================================================

What stands in clear is authenticated as well.  The handle is inside, so that a cookie of
another pool that shares the keys is told from one that was changed.

Note [What it doesn't stop]

A cookie can be echoed again until it ends, to any element of its pool: that is what cookies are
for.  Lives should be short, and state that must be used once needs a number of its own.
"""

import os
import struct
import time
from collections.abc import Callable, Iterable

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

#: By name; both take keys of 256 bits, nonces of 96 bits and have tags of 128 bits.
CIPHERS: dict[str, type[AESGCM] | type[ChaCha20Poly1305]] = {
    "aes-256-gcm": AESGCM,
    "chacha20-poly1305": ChaCha20Poly1305,
}
KEY_OCTETS, NONCE_OCTETS, TAG_OCTETS = 32, 12, 16
#: Cookies that one keyring seals by one key.  With random nonces of 96 bits all that share a
#: key may seal 2**32 messages at most (NIST SP 800-38D section 8.3), or two with one nonce
#: become likely enough to forge by.  A keyring knows of its own only: this lets 64 elements, or
#: starts of elements, share a key before it is rotated.
MOST_SEALED = 2**26
#: Octets of the data.  A cookie parameter has 65,531 at most (RFC 5354 section 3.13), and who
#: echoes one makes us decrypt it.
MOST_DATA = 32 * 1024
#: Seconds that a cookie may live at most, a year: who has one can echo it as long.
LONGEST_LIFE = 366 * 86400.0
#: Seconds that the clock of the element that sealed may be ahead of ours.
SKEW = 60.0

_VERSION = 1
_HEAD = struct.Struct("!BIQQ")
_LENGTH = struct.Struct("!H")
_LEAST = _HEAD.size + NONCE_OCTETS + _LENGTH.size + TAG_OCTETS
_MOST = _LEAST + 0xFFFF + MOST_DATA


class CookieError(ValueError):
    """
    A cookie isn't taken; the peer must not be told which of these it was.

    Whoever tries cookies would learn from it how far he got.  It is for the log.
    """


class Tampered(CookieError):
    """It was changed on its way, or is none of ours."""


class UnknownKey(CookieError):
    """It was sealed by a key that isn't here, or is over."""


class Expired(CookieError):
    """Its life is over, or it comes from the future."""


class WrongPool(CookieError):
    """It is of another pool."""


class Exhausted(RuntimeError):
    """No key may seal any more: it is time to rotate, or the only one hasn't begun."""


@attrs.frozen
class CookieKey:
    """
    A key of a keyring.

    :ivar number: its generation; the highest in force seals.
    :ivar not_before: it seals from then on; it opens at any time before its end, since the
        clock of the element that sealed may be ahead.
    """

    number: int = attrs.field(validator=[attrs.validators.ge(1), attrs.validators.lt(1 << 32)])
    secret: bytes = attrs.field(repr=False)
    not_before: float | None = None  # seconds since the epoch
    not_after: float | None = None

    @secret.validator
    def _whole(self, attribute: object, value: bytes) -> None:
        if len(value) != KEY_OCTETS:
            raise ValueError(f"a cookie key has {KEY_OCTETS} octets, not {len(value)}")

    def ended(self, now: float) -> bool:
        """Whether it is over."""
        return self.not_after is not None and now >= self.not_after

    def begun(self, now: float) -> bool:
        """Whether it may seal."""
        return self.not_before is None or now >= self.not_before


class CookieKeyring:
    """
    Seals and opens cookies by the keys that a pool's elements share.

    :param keys: from :func:`rserpool.security.cookie_keys.read`, or of one's own making.
    :param life: seconds that a cookie may be echoed after it was sealed.
    :param cipher: ``aes-256-gcm`` or ``chacha20-poly1305``, the same for all elements.
    :param clock: seconds since the epoch.
    :raise ValueError: the keys, the life or the cipher are no good.
    """

    def __init__(
        self,
        keys: Iterable[CookieKey],
        *,
        life: float,
        cipher: str = "aes-256-gcm",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if cipher not in CIPHERS:
            raise ValueError(f"cipher {cipher!r}: take one of {', '.join(sorted(CIPHERS))}")
        if not 0 < life <= LONGEST_LIFE:
            raise ValueError(
                f"the life of a cookie is more than 0, and {LONGEST_LIFE:g} seconds at most"
            )
        self._cipher = CIPHERS[cipher]
        self._name = cipher
        self._life = life
        self._clock = clock
        self._keys: dict[int, CookieKey] = {}
        self._sealed: dict[bytes, int] = {}  # by key, not number: a file may be made anew
        self.replace(keys)

    def __repr__(self) -> str:
        return f"<CookieKeyring {self._name} keys={sorted(self._keys)}>"

    def replace(self, keys: Iterable[CookieKey]) -> None:
        """
        Use other keys from now on: after a rotation.

        :raise ValueError: there are none, or two of one number; the old ones stay.
        """
        found: dict[int, CookieKey] = {}
        for key in keys:
            if key.number in found:
                raise ValueError(f"two cookie keys have the number {key.number}")
            found[key.number] = key
        if not found:
            raise ValueError("a keyring needs a key")
        self._keys = found
        secrets = {key.secret for key in found.values()}
        self._sealed = {key: count for key, count in self._sealed.items() if key in secrets}

    def seal(self, handle: bytes, data: bytes, now: float | None = None) -> bytes:
        """
        Make a cookie of what the next element of this pool must know.

        :param now: seconds since the epoch, instead of the clock.
        :raise ValueError: the data or the handle are too long.
        :raise Exhausted: no key may seal any more.
        """
        if len(data) > MOST_DATA or len(handle) > 0xFFFF:
            raise ValueError(f"a cookie has {MOST_DATA} octets of data at most")
        now = self._clock() if now is None else now
        key = self._newest(now)
        self._sealed[key.secret] = self._sealed.get(key.secret, 0) + 1
        head = _HEAD.pack(_VERSION, key.number, int(now * 1000), int((now + self._life) * 1000))
        nonce = os.urandom(NONCE_OCTETS)
        inside = _LENGTH.pack(len(handle)) + handle + data
        return head + nonce + self._cipher(key.secret).encrypt(nonce, inside, head)

    def open(self, handle: bytes, cookie: bytes, now: float | None = None) -> bytes:
        """
        Return the data of a cookie that an element of this pool has sealed.

        :raise CookieError: it isn't taken; say nothing but that to the peer.
        """
        now = self._clock() if now is None else now
        if not _LEAST <= len(cookie) <= _MOST:
            raise Tampered(f"{len(cookie)} octets are no cookie")
        head = cookie[: _HEAD.size]
        version, number, issued, end = _HEAD.unpack(head)
        if version != _VERSION:
            raise Tampered(f"version {version} is none that is known here")
        found, data = self._decrypted(self._key(number, now), head, cookie[_HEAD.size :])
        # Not before the tag has shown that these are the numbers that were sealed.
        if now * 1000 >= end:
            raise Expired(f"it ended {now - end / 1000:.1f} seconds ago")
        if issued > (now + SKEW) * 1000:
            raise Expired(f"it was sealed {issued / 1000 - now:.1f} seconds in the future")
        if found != handle:
            raise WrongPool(f"it is of pool {found!r}, not {handle!r}")
        return data

    def _newest(self, now: float) -> CookieKey:
        for number in sorted(self._keys, reverse=True):
            key = self._keys[number]
            spent = self._sealed.get(key.secret, 0) >= MOST_SEALED
            if key.begun(now) and not key.ended(now):
                if spent:
                    raise Exhausted(f"key {number} has sealed {MOST_SEALED} cookies: rotate it")
                return key
        raise Exhausted("no cookie key is in force now")

    def _key(self, number: int, now: float) -> CookieKey:
        key = self._keys.get(number)
        if key is None:
            raise UnknownKey(f"key {number} isn't here")
        if key.ended(now):
            raise UnknownKey(f"key {number} is over")
        return key

    def _decrypted(self, key: CookieKey, head: bytes, rest: bytes) -> tuple[bytes, bytes]:
        nonce, sealed = rest[:NONCE_OCTETS], rest[NONCE_OCTETS:]
        try:
            inside = self._cipher(key.secret).decrypt(nonce, sealed, head)
        except InvalidTag:
            raise Tampered(f"its tag isn't that of key {key.number}") from None
        [length] = _LENGTH.unpack_from(inside)
        start = _LENGTH.size + length
        if start > len(inside):
            raise Tampered("its handle is longer than itself")
        return inside[_LENGTH.size : start], inside[start:]
