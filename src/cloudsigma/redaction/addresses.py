"""Addresses with their networks: two originals share a prefix exactly as far as their pseudonyms do.

The scheme is that of Xu, Fan, Ammar and Moon, "Prefix-preserving IP address anonymization" (2002), with HMAC: each bit
is turned or not by the bits before it. Along the prefixes of *kept* networks no bit is turned, so addresses in such a
network stay in it, and no other comes into it: private addresses stay private, and rules that ask for a network keep
their verdicts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cloudsigma.redaction.pseudonyms import Pseudonyms

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
        "240.0.0.0/4", "::/8", "2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""Networks of special meaning."""


class Addresses:
    """The pseudonyms of addresses."""

    def __init__(self, pseudonyms: Pseudonyms, kept: Iterable[Network] = ()) -> None:
        self._pseudonyms = pseudonyms
        self._fixed: set[str] = set()
        for network in (*SPECIAL, *kept):
            bits = _bits(network.network_address)
            self._fixed |= {_place(network.version, bits[:length]) for length in range(network.prefixlen)}

    def __call__(self, text: str) -> str:
        """The pseudonym of an address; of `127.0.0.1` and `::1` the address itself."""
        address = ipaddress.ip_address(text)
        if address.is_loopback or address.is_unspecified:
            return text
        bits = _bits(address)
        turned = []
        for at, bit in enumerate(bits):
            place = _place(address.version, bits[:at])
            turned.append(int(bit) ^ (0 if place in self._fixed else self._pseudonyms.bit(place)))
        value = int("".join(map(str, turned)), 2)
        made = ipaddress.IPv4Address(value) if address.version == 4 else ipaddress.IPv6Address(value)
        if made == address:  # every bit stays: turn the last, which keeps all prefixes but that of one address
            made = type(made)(value ^ 1)
        return str(made)


def _bits(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"{int(address):0{address.max_prefixlen}b}"


def _place(version: int, prefix: str) -> str:
    return f"{version}:{prefix}"
