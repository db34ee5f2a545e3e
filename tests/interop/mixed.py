"""Registrars of ours and of rsplib, in one scope."""

from tests.interop.stage import Staged, members, status
from tests.site import until

#: Server IDs, of ours and of theirs.
OURS, THEIRS = 0x11110000, 0x77770000


class Peers(Staged):
    """Registrars, each on a host of its own."""

    hosts = 2

    @classmethod
    def ours(cls, number, *peers, identifier=OURS):
        """Start ours on this host; the address of it."""
        host = cls.lan.hosts[number - 1]
        called = [f"sctp:{cls.lan.hosts[peer - 1].address}:9901" for peer in peers]
        cls.stage.ours(
            "--server-id", f"{identifier:#x}", "--set", "announce.interface=eth0",
            *(word for peer in called for word in ("--peer", peer)),
            name=f"ours-{number}", address=host.address, host=host,
        )  # fmt: skip
        return host.address

    @classmethod
    def theirs(cls, number, *peers, identifier=THEIRS):
        """Start theirs on this host; the address of it."""
        host = cls.lan.hosts[number - 1]
        cls.stage.theirs(
            f"-identifier={identifier:#x}", "-endpointkeepalivetransmissioninterval=20000",
            *(f"-peer={cls.lan.hosts[p - 1].address}:9901" for p in peers),
            name=f"theirs-{number}", address=host.address, host=host,
        )  # fmt: skip
        return host.address

    def agree(self, address, *others, seconds=60):
        """Wait until ours and each of the others say the same of each other's elements."""

        def agreed():
            found = {
                int(peer["server-id"], 16): peer["synchronized"]
                for peer in status(address)["peers"]
                if peer["state"] == "active"
            }
            return found == dict.fromkeys(others, True)

        until(agreed, seconds)


def homes(pool, address):
    """The home of each element of a pool, as a registrar tells a user."""
    return {identifier: element.home for identifier, element in members(pool, address).items()}
