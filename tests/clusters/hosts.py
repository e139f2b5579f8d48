"""Several hosts on one machine: a network namespace with an address of its own for each, joined by a bridge.

Requires root and `ip` (Debian's iproute2). The hosts share only the machine's file system.
"""

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator


class Unavailable(Exception):
    """Namespaces cannot be made here: the message has the reason."""


@dataclasses.dataclass(frozen=True)
class Host:
    """A host for processes.

    Attributes:
        address: the host's own.
        prefix: put before a command that runs there.
        link: network device that connects it to the others, "" on loopback.
    """

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    link: str = ""

    def cut(self) -> None:
        """Takes its link down: packets to and from the host are lost without notice."""
        _ip("link", "set", self.link, "down")

    def join(self) -> None:
        """Takes its link up again."""
        _ip("link", "set", self.link, "up")

    @property
    def bind(self) -> str:
        """Address on which a server listens so that the host's address and localhost reach it."""
        return self.address if self.address == "127.0.0.1" else "0.0.0.0"


LOOPBACK = Host()


@contextlib.contextmanager
def bridged(count: int) -> Iterator[tuple[str, list[Host]]]:
    """Makes hosts, and yields the address at which they reach this machine, and them; removes them after the body.

    Raises:
        Unavailable: they cannot be made.
    """
    if not shutil.which("ip"):
        raise Unavailable("`ip` (iproute2) is not installed")
    name, net = f"pc{os.getpid()}", f"10.77.{os.getpid() % 250 + 1}"
    with contextlib.ExitStack() as made:
        _make(made, ["link", "add", name, "type", "bridge"], ["link", "del", name])
        _ip("addr", "add", f"{net}.1/24", "dev", name)
        _ip("link", "set", name, "up")
        yield f"{net}.1", [_host(made, name, net, i) for i in range(count)]


def _host(made: contextlib.ExitStack, bridge: str, net: str, i: int) -> Host:
    name, address = f"{bridge}h{i}", f"{net}.{i + 2}"
    _make(made, ["netns", "add", name], ["netns", "del", name])
    _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", name, "master", bridge, "up")
    _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        _ip("-n", name, "link", "set", device, "up")
    return Host(address, ("ip", "netns", "exec", name), name)


def _make(made: contextlib.ExitStack, make: list[str], unmake: list[str]) -> None:
    _ip(*make)
    made.callback(_ip, *unmake)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"`ip {' '.join(arguments)}`: {done.stderr.strip()}")
