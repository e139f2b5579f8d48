"""Several hosts on one machine: a network namespace with an address of its own for each, joined by a bridge.

It takes root and `ip` (Debian's iproute2). The hosts share the machine's file system, and nothing else.
"""

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator


class Unavailable(Exception):
    """Namespaces cannot be made here: the message says why."""


@dataclasses.dataclass(frozen=True)
class Host:
    """Where a process runs.

    Attributes:
        address: its own.
        prefix: what stands before a command that is to run there.
        link: the network device that joins it to the others, "" on loopback.
    """

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    link: str = ""

    def cut(self) -> None:
        """Takes its link down: what is sent to it or from it is lost, and nobody is told."""
        _ip("link", "set", self.link, "down")

    def join(self) -> None:
        """Takes its link up again."""
        _ip("link", "set", self.link, "up")

    @property
    def bind(self) -> str:
        """Where a server listens that its own address and localhost have to reach."""
        return self.address if self.address == "127.0.0.1" else "0.0.0.0"


LOOPBACK = Host()


@contextlib.contextmanager
def bridged(count: int) -> Iterator[tuple[str, list[Host]]]:
    """Makes hosts, and gives the address at which they reach this machine beside them; all is gone when the body ends.

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
