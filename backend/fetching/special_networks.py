"""Which addresses belong to the public internet, by a table of our own.

`ipaddress.is_global` is not asked: CPython 3.11 calls public what reaches loopback (`::127.0.0.1`, `2002:7f00:1::`,
`64:ff9b::7f00:1`), multicast, and the metadata service at 192.0.0.192; its answer also changes between releases.

Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890), the IANA multicast and IPv6 address space
registries, and the clouds' manuals for their metadata services. What the registries call globally reachable although
it lies in a special block (192.0.0.9, AMT, ORCHID) serves no pictures and is refused with its block.
"""

import ipaddress
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

SPECIAL_IPV4: Final = {
    "0.0.0.0/8": "this network, RFC 791",
    "10.0.0.0/8": "private, RFC 1918",
    "100.64.0.0/10": "shared between carrier and customer, RFC 6598; Alibaba's metadata service at 100.100.100.200",
    "127.0.0.0/8": "loopback, RFC 1122",
    "168.63.129.16/32": "Azure's WireServer: a public number that only answers inside (Microsoft Learn)",
    "169.254.0.0/16": "link-local, RFC 3927; most clouds' metadata service at 169.254.169.254",
    "172.16.0.0/12": "private, RFC 1918",
    "192.0.0.0/24": "protocol assignments, RFC 6890; Oracle's metadata service at 192.0.0.192",
    "192.0.2.0/24": "documentation, RFC 5737",
    "192.88.99.0/24": "6to4 relays, deprecated by RFC 7526",
    "192.168.0.0/16": "private, RFC 1918",
    "198.18.0.0/15": "benchmarking, RFC 2544",
    "198.51.100.0/24": "documentation, RFC 5737",
    "203.0.113.0/24": "documentation, RFC 5737",
    "224.0.0.0/4": "multicast, RFC 5771",
    "240.0.0.0/4": "reserved, RFC 1112; broadcast at its end, RFC 919",
}

GLOBAL_UNICAST_IPV6: Final = "2000::/3"
"""All that IANA gives out as global unicast. Everything else is refused without being named: loopback, unspecified,
IPv4-mapped and IPv4-compatible, 64:ff9b:1::/48 (RFC 8215), discard-only, segment routing, unique local (with Amazon's
metadata service at fd00:ec2::254 and Google's at fd20:ce::254), link-local, site-local, multicast."""

SPECIAL_IPV6: Final = {
    "2001::/23": "protocol assignments, RFC 2928: Teredo (RFC 4380), benchmarking (RFC 5180), ORCHID (RFC 7343)",
    "2001:db8::/32": "documentation, RFC 3849",
    "2002::/16": "6to4, RFC 3056: carries an IPv4 address",
    "3fff::/20": "documentation, RFC 9637",
}

NAT64: Final = "64:ff9b::/96"
"""The well-known prefix, RFC 6052: its last 32 bits are an IPv4 address, and on a network with DNS64 every host that
has no IPv6 is answered so. The one embedded form that is looked into; a public IPv4 address there is public."""

_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
"""Bits 64 to 95 of an ISATAP address (RFC 5214, 6.1): the last 32 bits are an IPv4 address, under any prefix."""

_SPECIAL_IPV4: Final = tuple(ipaddress.IPv4Network(network) for network in SPECIAL_IPV4)
_SPECIAL_IPV6: Final = tuple(ipaddress.IPv6Network(network) for network in SPECIAL_IPV6)
_GLOBAL_UNICAST_IPV6: Final = ipaddress.IPv6Network(GLOBAL_UNICAST_IPV6)
_NAT64: Final = ipaddress.IPv6Network(NAT64)


def as_ipv4(address: IPAddress) -> IPAddress:
    """The IPv4 host that a mapped (RFC 4291, 2.5.5.2) or NAT64 address leads to; any other address is its own."""
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: IPAddress) -> bool:
    """Whether the address belongs to the public internet, and no IPv4 address that does not hides in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    if address.scope_id is not None:
        return False  # a zone names an interface of this machine
    if address in _NAT64:
        return is_public(as_ipv4(address))
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return address in _GLOBAL_UNICAST_IPV6 and not any(address in network for network in _SPECIAL_IPV6)
