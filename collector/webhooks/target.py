"""Where webhooks may lead: HTTPS, to the public internet and to the networks that the operator has named.

A webhook makes the collector send requests to where its maker says. Who may make webhooks must not thereby reach what
only the collector can reach. So the name is resolved here, the address is judged, and the request goes to this very
address: what the name resolves to later does not matter. Redirects are not followed.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx

from collector.errors import ConflictError

URL_PATTERN = r"^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!\"$-~]*)?$"
MAX_URL = 2048
HTTPS_PORT = 443
RESOLVERS = 4  # names looked up at a time: a name server that stalls must not stall more than them

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class TargetError(ConflictError):
    """A URL that webhooks may not lead to, or that cannot be resolved: the fault of who made the webhook."""


class Targets:
    """Judges URLs and addresses."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: list[Network] = [ipaddress.ip_network(network) for network in networks]
        self._resolvers = ThreadPoolExecutor(RESOLVERS, "webhook-names")

    def check(self, url: str) -> httpx.URL:
        """The URL, when a webhook may be made for it. Raises TargetError."""
        if len(url) > MAX_URL or not re.fullmatch(URL_PATTERN, url):
            raise TargetError("a webhook is an https URL without a user, a password or a fragment")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise TargetError(f"not a URL: {error}") from error
        if parsed.port is not None and not 0 < parsed.port <= 65535:
            raise TargetError("the port of the URL is none")
        try:
            literal = ipaddress.ip_address(parsed.host)
        except ValueError:
            return parsed  # a name: judged whenever it is resolved
        self._admit([literal], parsed.host)
        return parsed

    async def resolve(self, url: httpx.URL) -> str:
        """An address of the URL's host that may be called. Raises TargetError."""
        port = url.port or HTTPS_PORT
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._resolvers, lambda: socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as error:
            raise TargetError(f"{url.host} cannot be resolved: {error}") from error
        return self._admit([ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found], url.host)

    def _admit(self, addresses: list[Address], host: str) -> str:
        for address in addresses:
            if is_public(address) or any(address in network for network in self._networks):
                return str(address)
        raise TargetError(f"{host} is in no network that webhooks may lead to (webhooks.networks)")

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)


def is_public(address: Address) -> bool:
    """Whether an address, and the IPv4 address that it may stand for, is one of the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast
