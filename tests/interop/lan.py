"""
Several hosts on one network, inside the lab: network namespaces joined by a bridge.

A host that is cut off sends no ABORT and no SHUTDOWN, as one does whose power is gone; and each
has a multicast source address of its own.
"""

import subprocess

import attrs

#: The bridge, which sees all that is sent, in the lab's own namespace: ``tcpdump -i lan0``.
BRIDGE = "lan0"
ADDRESS = "10.2.0.254"


def ip(*words: str) -> str:
    """What the program of this name says."""
    return _run("ip", *words)


def tc(*words: str) -> str:
    """What the program of this name says: it spoils what an interface sends."""
    return _run("tc", *words)


def _run(*words: str) -> str:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(words)}: {ran.stderr.strip()}")
    return ran.stdout


@attrs.frozen
class Host:
    """
    One of the hosts, ``10.2.0.NUMBER`` and, where the network has IPv6, ``fd10:2::NUMBER``.

    A second leg, if there is one, is ``10.3.0.NUMBER`` on a network of its own.
    """

    number: int

    @property
    def name(self) -> str:
        """Its network namespace."""
        return f"h{self.number}"

    @property
    def address(self) -> str:
        """Its address."""
        return f"10.2.0.{self.number}"

    @property
    def other_address(self) -> str:
        """That of its second leg."""
        return f"10.3.0.{self.number}"

    def command(self, *words: str) -> list[str]:
        """The command that runs another one on this host."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str) -> str:
        """Run something on it; what it says."""
        return _run(*self.command(*words))

    def cut(self, leg: int = 0) -> None:
        """Unplug its cable."""
        ip("link", "set", f"v{leg}-{self.number}", "down")

    def mend(self, leg: int = 0) -> None:
        """Plug it in again."""
        ip("link", "set", f"v{leg}-{self.number}", "up")

    def impair(self, *netem: str, leg: int = 0) -> None:
        """Let ``tc netem`` spoil what it sends, ``loss 10%`` for instance; nothing: no more."""
        words = ["tc", "qdisc", "replace", "dev", f"eth{leg}", "root", "netem", *netem]
        if not netem:
            words = ["tc", "qdisc", "del", "dev", f"eth{leg}", "root"]
        self.run(*words)


class Lan:
    """
    So many hosts.

    :param legs: networks that each of them is on; two for multi-homed ones.
    :param ipv6: whether they have IPv6, too; else they have none at all.
    """

    def __init__(self, count: int, *, legs: int = 1, ipv6: bool = False) -> None:
        self.hosts = [Host(number) for number in range(1, count + 1)]
        self._legs = legs
        self._ipv6 = ipv6

    def up(self) -> "Lan":
        """Make them."""
        for leg in range(self._legs):
            self._bridge(leg)
        for host in self.hosts:
            ip("netns", "add", host.name)
            ip("-n", host.name, "link", "set", "lo", "up")
            if not self._ipv6:
                host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            for leg in range(self._legs):
                self._plug(host, leg)
            ip("-n", host.name, "route", "add", "224.0.0.0/4", "dev", "eth0")
            ip("-n", host.name, "route", "add", "default", "via", ADDRESS)
        return self

    def down(self) -> None:
        """Take them away; what runs there must have ended."""
        for host in self.hosts:
            # A namespace goes when the kernel finds the time, a cable at once.
            for leg in range(self._legs):
                ip("link", "del", f"v{leg}-{host.number}")
            ip("netns", "del", host.name)
        for leg in range(self._legs):
            ip("link", "del", f"lan{leg}")

    def _bridge(self, leg: int) -> None:
        name = f"lan{leg}"
        ip("link", "add", name, "type", "bridge")
        ip("link", "set", name, "type", "bridge", "mcast_snooping", "0")
        ip("link", "set", name, "up")
        ip("addr", "add", f"10.{2 + leg}.0.254/24", "dev", name)
        if self._ipv6:
            ip("addr", "add", f"fd10:{2 + leg}::fe/64", "dev", name, "nodad")

    def _plug(self, host: Host, leg: int) -> None:
        here, there = f"v{leg}-{host.number}", f"eth{leg}"
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", host.name)
        ip("link", "set", here, "master", f"lan{leg}", "up")
        ip("-n", host.name, "link", "set", there, "up", "multicast", "on")
        ip("-n", host.name, "addr", "add", f"10.{2 + leg}.0.{host.number}/24", "dev", there)
        if self._ipv6:
            ip("-n", host.name, "addr", "add", f"fd10:{2 + leg}::{host.number}/64",
               "dev", there, "nodad")  # fmt: skip
