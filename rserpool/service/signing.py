"""``signing-key`` and ``signing-certificate`` of ``twistd rserpool-pe``, read and checked."""

from collections.abc import Callable

from rserpool.client import Signer

Fault = Callable[[str, str], None]


def read(
    key: str | None, certificate: str | None, pool: str | None, fault: Fault
) -> Signer | None:
    """
    Return who signs for the pool, if anybody shall.

    :param fault: told which of the two keys is wrong, and how.
    """
    if key is None:
        if certificate is not None:
            fault("signing-certificate", "its private key is missing: give signing-key")
        return None
    try:
        signer = Signer.from_files(key, certificate)
    except OSError as error:
        fault("signing-key", f"{error.filename} can't be read: {error.strerror}")
        return None
    except ValueError as error:
        fault("signing-key", str(error))
        return None
    pools = signer.pools
    if pool and pools is not None and pool.encode() not in pools:
        named = ", ".join(sorted(repr(handle.decode(errors="replace")) for handle in pools))
        words = f"is for pool {named}, not {pool!r}: no user would believe it"
        fault("signing-certificate", words)
    return signer
