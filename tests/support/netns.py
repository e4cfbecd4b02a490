"""Hosts with addresses of their own on one machine: network namespaces around a router.

Each host has a subnet of its own and reaches the others through a router in a namespace between them; the
test's own process is a host too. A cut is a rule of the router that drops silently what goes between two
hosts, both ways: no carrier is lost, nobody is told, as when a switch fails far away. It needs root and
iproute2, nothing else, and touches nothing of the machine but one interface, which the block removes.

Addresses come from 198.18.0.0/15, the range set aside for tests of networks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

MAX_NETWORKS = 512
"""Subnets of 256 addresses in the range: as many networks can be up at a time."""

MAX_HOSTS = 63
"""Subnets of 4 addresses in one network, the test's own left out."""

IP_TIMEOUT_S = 10.0


def why_not() -> str:
    """Returns why there can be no network here, as a reason to skip; empty when there can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if shutil.which("ip") is None:
        return "making network namespaces needs the ip command (iproute2)"
    probe = f"lgrpc-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, timeout=IP_TIMEOUT_S)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    _ip("netns", "delete", probe)
    return ""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a network; an empty namespace is the test's own."""

    namespace: str
    address: str
    interface: str

    def inside(self, *argv: str | Path) -> list[str]:
        """The command line that runs `argv` on this host, as the same process and no other."""
        words = [str(word) for word in argv]
        return ["ip", "netns", "exec", self.namespace, *words] if self.namespace else words


class Network:
    """A router and its hosts, from `with Network() as network:` to the end of the block."""

    def __init__(self) -> None:
        self._name = ""
        self._subnet = ""
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        self._reserve()
        try:
            self._ip("link", "set", "lo", "up")
            self._in_router("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
            self._join(Host("", self._address(2), self._name))
            _ip("route", "add", f"{self._subnet}.0/24", "via", self._address(1), "dev", self._name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def own(self) -> Host:
        """The host that the test itself is."""
        return self._hosts[0]

    def add_host(self, name: str) -> Host:
        """Adds a host that reaches all others."""
        assert 0 < len(name) <= 8, "names of interfaces are short"
        assert len(self._hosts) < MAX_HOSTS
        host = Host(f"{self._name}-{name}", self._address(4 * len(self._hosts) + 2), "uplink")
        _ip("netns", "add", host.namespace)
        self._join(host)
        _ip("-n", host.namespace, "link", "set", "lo", "up")
        gateway = self._address(4 * (len(self._hosts) - 1) + 1)
        _ip("-n", host.namespace, "route", "add", "default", "via", gateway)
        return host

    def cut(self, one: Host, other: Host) -> None:
        """Drops all that goes between two hosts from now on, without a word to either."""
        self._rules("add", one, other)

    def heal(self, one: Host, other: Host) -> None:
        """Takes a cut back."""
        self._rules("delete", one, other)

    def limit_rate(self, host: Host, *, kilobits_per_s: int) -> None:
        """Slows a host's line down, both ways; what does not fit waits up to half a second, then is lost."""
        shape = ("tbf", "rate", f"{kilobits_per_s}kbit", "burst", "4kb", "latency", "500ms")
        _ip_tool("tc", "-n", host.namespace, "qdisc", "replace", "dev", host.interface, "root", *shape)
        port = self._port_of(self._hosts.index(host))
        _ip_tool("tc", "-n", self._router, "qdisc", "replace", "dev", port, "root", *shape)

    def bytes_sent_by(self, host: Host) -> int:
        """Bytes that a host has sent so far, headers included."""
        port = self._port_of(self._hosts.index(host))
        shown = _ip("-n", self._router, "-s", "-j", "link", "show", "dev", port)
        received: int = json.loads(shown)[0]["stats64"]["rx"]["bytes"]
        return received

    def close(self) -> None:
        """Removes all of it; what is gone already is no fault."""
        for host in self._hosts[1:]:
            _ip("netns", "delete", host.namespace, check=False)
        _ip("netns", "delete", self._router, check=False)
        # The own interface goes with its other end, but not before the kernel has cleared the router away.
        _ip("link", "delete", self._name, check=False)
        self._hosts.clear()

    @property
    def _router(self) -> str:
        return f"{self._name}-router"

    def _reserve(self) -> None:
        """Takes a number that no other network on this machine has; making the router's name decides."""
        for offset in range(MAX_NETWORKS):
            number = (os.getpid() + offset) % MAX_NETWORKS
            self._name = f"lgrpc{number}"
            self._subnet = f"198.{18 + number // 256}.{number % 256}"
            made = subprocess.run(
                ["ip", "netns", "add", self._router], capture_output=True, timeout=IP_TIMEOUT_S
            )
            if made.returncode == 0:
                return
        raise AssertionError(f"{MAX_NETWORKS} networks are up already: `ip netns list` names them")

    def _join(self, host: Host) -> None:
        port = self._port_of(len(self._hosts))
        index = len(self._hosts)
        self._hosts.append(host)
        inside = ("netns", host.namespace) if host.namespace else ()
        outside = ("peer", "name", port, "netns", self._router)
        _ip("link", "add", "name", host.interface, *inside, "type", "veth", *outside)
        self._ip("address", "add", f"{self._address(4 * index + 1)}/30", "dev", port)
        self._ip("link", "set", port, "up")
        where = ("-n", host.namespace) if host.namespace else ()
        _ip(*where, "address", "add", f"{host.address}/30", "dev", host.interface)
        _ip(*where, "link", "set", host.interface, "up")

    def _rules(self, verb: str, one: Host, other: Host) -> None:
        for source, target in ((one, other), (other, one)):
            self._ip("rule", verb, "from", source.address, "to", target.address, "blackhole")

    def _address(self, last: int) -> str:
        return f"{self._subnet}.{last}"

    def _port_of(self, index: int) -> str:
        return f"port{index}"

    def _ip(self, *arguments: str) -> None:
        _ip("-n", self._router, *arguments)

    def _in_router(self, *argv: str) -> None:
        _ip("netns", "exec", self._router, *argv)


def _ip(*arguments: str, check: bool = True) -> str:
    return _ip_tool("ip", *arguments, check=check)


def _ip_tool(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=IP_TIMEOUT_S)
    assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip()}"
    return done.stdout
