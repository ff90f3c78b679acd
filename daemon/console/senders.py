"""Where a request comes from, as far as that can be known: nothing that somebody writes into a header passes for an address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from daemon.servers import host_and_port

NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one has all of its network, so tries are counted by that."""


def address_of(peer: str, forwarded: Sequence[str]) -> str:
    """What the proxy here said last of who asks, the connection's own address where that is none.

    `forwarded` are the lines of X-Forwarded-For as they came: some proxies add to the client's line, others add a line after it.
    """
    last = ",".join(forwarded).rpartition(",")[2].strip()
    return _plain(last) or _plain((host_and_port(last) or ("", 0))[0]) or peer


def _plain(text: str) -> str:
    """An address as it is written shortest; "" for what is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    return str(found.ipv4_mapped or found if isinstance(found, IPv6Address) else found)


def network_of(address: str) -> str:
    """Whose tries are counted together."""
    try:
        return str(ip_network((address, NETWORK_BITS), strict=False)) if ":" in address else address
    except ValueError:
        return address
