"""``keys:FILE``: a list of public keys, by which elements are believed."""

import os
import stat

from rserpool.security.psk import keyfile
from rserpool.security.signing.entitled import Entitled
from rserpool.security.signing.signature import KEY_OCTETS, Doubt, Signature, Untrusted, key_id


class Listed:
    """
    Keys from a file, in the form of a key file (:mod:`rserpool.security.psk.entry`).

    ``name:hexkey``, with the 32 octets of the public key, and ``;pool=``, ``;pe-id=``,
    ``;addr=`` (the only addresses that it may register), ``;not-before=``, ``;not-after=``.
    Everybody may read it, and nobody but its owner change it.

    :raise KeyFileError: (a ValueError) all that is wrong with it.
    :raise OSError: it can't be read.
    """

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
        faults = []
        if stat.S_IMODE(mode) & (stat.S_IWGRP | stat.S_IWOTH):
            faults.append(f"{path}: group or others can change it; chmod go-w {path}")
        keys = keyfile.parse(data, path, faults).keys
        self._keys = {key_id(key.secret): key for key in keys}
        if not keys:
            faults.append(f"{path}: there is no key in it")
        if len(self._keys) != len(keys):
            faults.append(f"{path}: one key stands there twice")
        faults += [
            f"{path}: {key.identity!r}: a public key (Ed25519) has {KEY_OCTETS} octets"
            for key in keys
            if len(key.secret) != KEY_OCTETS
        ]
        if faults:
            raise keyfile.KeyFileError(tuple(faults))

    def find(self, signature: Signature, now: float) -> Entitled:
        """Return whose key it is."""
        key = self._keys.get(signature.key_id)
        if key is None:
            raise Untrusted(Doubt.STRANGER, "its key isn't in the list")
        if not (key.not_before or 0) <= now < (key.not_after or now + 1):
            words = f"this isn't the time of the key of {key.identity!r}"
            raise Untrusted(Doubt.STRANGER, words)
        return Entitled(key.principal, key.secret, key.restrictions)
