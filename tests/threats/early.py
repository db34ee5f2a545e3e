"""
A client of TLS 1.3 with a pre-shared key that sends early data (RFC 8446 sections 2.3, 4.2.10).

OpenSSL's own client sends none with a key of ours; an attacker who replays some needs no
library.  Only what a handshake needs is here: TLS_AES_128_GCM_SHA256 and X25519.
"""

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HANDSHAKE, APPLICATION_DATA, CHANGE_CIPHER_SPEC, ALERT = 22, 23, 20, 21
EARLY_DATA, PRE_SHARED_KEY, KEY_SHARE = 42, 41, 51
ENCRYPTED_EXTENSIONS, FINISHED = 8, 20
HASH = 32


def _hash(data):
    return hashlib.sha256(data).digest()


def _expand(secret, label, context=b"", length=HASH):
    """HKDF-Expand-Label; one block of output is enough for all of it."""
    name = b"tls13 " + label
    info = struct.pack("!HB", length, len(name)) + name + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\1", "sha256")[:length]


def _next(secret, given):
    """The next secret of the schedule (section 7.1)."""
    return hmac.digest(_expand(secret, b"derived", _hash(b"")), given, "sha256")


def _vector(data, size=2):
    return len(data).to_bytes(size, "big") + data


def _extension(kind, data):
    return kind.to_bytes(2, "big") + _vector(data)


def record(kind, data):
    """A record in clear."""
    return struct.pack("!BHH", kind, 0x0303, len(data)) + data


class Keys:
    """One way of a connection, under one secret."""

    def __init__(self, secret):
        self._secret, self._number = secret, 0
        self._gcm = AESGCM(_expand(secret, b"key", length=16))
        self._iv = int.from_bytes(_expand(secret, b"iv", length=12), "big")

    def _nonce(self):
        self._number += 1
        return (self._iv ^ (self._number - 1)).to_bytes(12, "big")

    def seal(self, kind, data):
        """A record of this content."""
        header = struct.pack("!BHH", APPLICATION_DATA, 0x0303, len(data) + 17)
        return header + self._gcm.encrypt(self._nonce(), data + bytes([kind]), header)

    def open(self, sealed):
        """The content and its type."""
        plain = self._gcm.decrypt(self._nonce(), sealed[5:], sealed[:5]).rstrip(b"\0")
        return plain[-1], plain[:-1]

    def finished(self, transcript):
        """What Finished has to say."""
        key = _expand(self._secret, b"finished")
        return hmac.digest(key, _hash(transcript), "sha256")


class Client:
    """
    One connection; `hello` and `early` may be put on any wire again.

    :ivar hello: its ClientHello, which offers early data, as a record.
    :ivar early: what it says before anybody has answered, as a record.
    """

    def __init__(self, identity, key, said):
        self._share = X25519PrivateKey.generate()
        self._early = hmac.digest(bytes(HASH), key, "sha256")
        binder_key = _expand(self._early, b"ext binder", _hash(b""))
        hello = self._hello(identity)
        binder = hmac.digest(
            _expand(binder_key, b"finished"), _hash(hello[: -(HASH + 3)]), "sha256"
        )
        self._said = hello[:-HASH] + binder
        self.hello = record(HANDSHAKE, self._said)
        secret = _expand(self._early, b"c e traffic", _hash(self._said))
        self.early = Keys(secret).seal(APPLICATION_DATA, said)

    def _hello(self, identity):
        """ClientHello with a binder of zeros at its end."""
        public = self._share.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        offered = _vector(_vector(identity) + bytes(4)) + _vector(_vector(bytes(HASH), 1))
        extensions = (
            _extension(43, _vector(b"\x03\x04", 1))  # supported_versions: 1.3
            + _extension(10, _vector(b"\x00\x1d"))  # supported_groups: X25519
            + _extension(13, _vector(b"\x04\x03"))  # signature_algorithms
            + _extension(KEY_SHARE, _vector(b"\x00\x1d" + _vector(public)))
            + _extension(45, _vector(b"\x01", 1))  # psk_key_exchange_modes: psk_dhe_ke
            + _extension(EARLY_DATA, b"")
            + _extension(PRE_SHARED_KEY, offered)
        )
        body = (
            b"\x03\x03" + os.urandom(32) + _vector(os.urandom(32), 1)
            + _vector(b"\x13\x01") + b"\x01\x00" + _vector(extensions)
        )  # fmt: skip
        return b"\x01" + _vector(body, 3)

    def finish(self, records):
        """
        Go on with the handshake.

        :param records: gives the server's next record.
        :return: whether the server took the early data, what to send, and the keys for more.
        """
        server_hello = next(records)[5:]
        shared = self._share.exchange(
            X25519PublicKey.from_public_bytes(_share_of(server_hello))
        )
        transcript = self._said + server_hello
        secret = _next(self._early, shared)
        ours = Keys(_expand(secret, b"c hs traffic", _hash(transcript)))
        theirs = Keys(_expand(secret, b"s hs traffic", _hash(transcript)))
        data, taken = b"", None
        while True:
            while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[1:4], "big"):
                end = 4 + int.from_bytes(data[1:4], "big")
                message, data = data[:end], data[end:]
                if message[0] == ENCRYPTED_EXTENSIONS:
                    taken = EARLY_DATA in dict(_extensions(message[6:]))
                if message[0] == FINISHED:
                    assert message[4:] == theirs.finished(transcript)
                    transcript += message
                    return taken, *self._finished(secret, ours, transcript)
                transcript += message
            one = next(records)
            if one[0] != CHANGE_CIPHER_SPEC:
                data += theirs.open(one)[1]

    @staticmethod
    def _finished(secret, ours, transcript):
        message = bytes([FINISHED]) + _vector(ours.finished(transcript), 3)
        main = _next(secret, bytes(HASH))
        keys = Keys(_expand(main, b"c ap traffic", _hash(transcript)))
        theirs = Keys(_expand(main, b"s ap traffic", _hash(transcript)))
        return ours.seal(HANDSHAKE, message), keys, theirs


def _extensions(data):
    """Type and content of each."""
    while data:
        kind, length = struct.unpack_from("!HH", data)
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _share_of(server_hello):
    """The server's public key; the server must have taken ours and the pre-shared key."""
    assert server_hello[0] == 2, server_hello
    at = 4 + 2 + 32
    at += 1 + server_hello[at] + 3
    found = dict(_extensions(server_hello[at + 2 :]))
    assert PRE_SHARED_KEY in found
    return found[KEY_SHARE][4:]
