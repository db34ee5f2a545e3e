"""What an element proves itself with and signs by: read, read again, and warned of in time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from rserpool.client import Certified, Plain, PreSharedKey, Security, Signer
from rserpool.security.certificate.name import SOON, when
from rserpool.service import signing

if TYPE_CHECKING:
    from rserpool.service.pe_options import ElementTable

#: Told which key of ``[element]`` is wrong, and how.
Fault = Callable[[str, str], None]


def security(table: "ElementTable", fault: Fault) -> Security | None:
    """Read the key, or the certificate and the authorities; None: they are no good."""
    try:
        return _security(table)
    except (OSError, ValueError) as error:
        for line in _in_words(error):
            fault("psk" if table.psk else "certificate", line)
    return None


def signer(table: "ElementTable", fault: Fault) -> Signer | None:
    """Read the signing key; None: there is none, or it is no good."""
    faults: list[tuple[str, str]] = []
    found = signing.read(
        table.signing_key,
        table.signing_certificate,
        table.pool,
        lambda *words: faults.append(words),
    )
    for each in faults:
        fault(*each)
    return None if faults else found


def _security(table: "ElementTable") -> Security:
    security: Security = Plain()
    if table.security == "required" and table.psk:
        security = PreSharedKey.from_file(table.psk, table.identity, table.tls_minimum)
    elif table.security == "required":
        assert table.certificate is not None
        assert table.private_key is not None
        security = Certified.with_files(
            table.ca, table.name, table.certificate, table.private_key, table.tls_minimum,
            crl=table.crl,
        )  # fmt: skip
    security.creator(table.name or "localhost")  # made once, to hear now what is wrong
    return security


#: Faults of one key file that are told.
_ENOUGH = 4


def _in_words(error: OSError | ValueError) -> list[str]:
    if isinstance(error, OSError):
        return [f"{error.filename} can't be read: {error.strerror}"]
    lines = str(error).splitlines()
    if len(lines) > _ENOUGH:
        # A file of another kind: each of its lines is wrong.
        return [*lines[:_ENOUGH], f"and {len(lines) - _ENOUGH} more faults like these"]
    return lines


@attrs.define
class Own:
    """
    Warns of the element's own key or certificate, which its registrar won't take any more, and
    of the certificate of its signing key, which users won't.

    :ivar now: the time in seconds since the epoch.
    """

    security: Security
    now: Callable[[], float]
    signer: Signer | None = None

    @property
    def warnings(self) -> list[str]:
        """What ought to be done."""
        now = self.now()
        found = []
        for end, what, over in self._ends:
            if end <= now:
                found.append(f"this element's {what} is over since {when(end)}: {over}")
            elif end < now + SOON:
                found.append(
                    f"this element's {what} is good until {when(end)}: get the next one in "
                    "time, and send SIGHUP"
                )
        return found

    @property
    def moments(self) -> list[float]:
        """When they end."""
        return [end for end, _, _ in self._ends]

    @property
    def _ends(self) -> list[tuple[float, str, str]]:
        """When each ends, what it is, and what follows."""
        what = "key" if isinstance(self.security, PreSharedKey) else "certificate"
        until = self.signer.until if self.signer else None
        ends = (
            (self.security.until, what, "no registrar lets it in"),
            (until, "signing certificate", "no user believes what it registers"),
        )
        return [(end, what, over) for end, what, over in ends if end is not None]
