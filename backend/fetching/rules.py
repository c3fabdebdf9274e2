"""What an installation fetches from, as far as the address itself tells. The network is not asked here."""

from collections.abc import Collection, Sequence
from typing import Final

from backend.errors import Misconfigured, UrlInvalid, UrlNotAllowed
from backend.fetching.address import Address, parse, parse_host
from backend.fetching.special_networks import IPAddress, as_ipv4, is_public

PRIVATE_DOMAINS: Final = ("localhost", "local", "internal", "home.arpa", "onion")
"""Domains that are never public: RFC 6761, RFC 6762, ICANN's reservation of 2024, RFC 8375, RFC 7686."""


class Rules:
    """Ports, hosts and the public internet."""

    def __init__(
        self, *, ports: Collection[int], allow_hosts: Sequence[str], deny_hosts: Sequence[str], allow_private: bool
    ) -> None:
        """Hosts as `cdn.example` or `*.cdn.example` (all below). Raises `Misconfigured` for what is neither."""
        self._ports = frozenset(ports)
        self._allowed = [_pattern(host, "fetch.allow_hosts") for host in allow_hosts]
        self._denied = [_pattern(host, "fetch.deny_hosts") for host in deny_hosts]
        self.allow_private = allow_private

    def admit(self, url: str) -> Address:
        """The address, understood. Raises `UrlInvalid`, `UrlNotAllowed`."""
        address = parse(url)
        if address.port not in self._ports:
            raise UrlInvalid(f"pictures are not fetched from port {address.port}")
        host = _compared(address.host, address.literal)
        if _listed(host, self._denied) or (self._allowed and not _listed(host, self._allowed)):
            raise UrlNotAllowed("pictures are not fetched from this host")
        if not self.allow_private and not _may_be_public(address):
            raise UrlNotAllowed("the host is not on the public internet")
        return address


def _may_be_public(address: Address) -> bool:
    if address.literal is not None:
        return is_public(address.literal)
    domains = tuple(f".{domain}" for domain in PRIVATE_DOMAINS)
    return "." in address.host and not address.host.endswith(domains)  # without a dot: a name of the local network


def _pattern(text: str, setting: str) -> str:
    """`host`, or `.host` for all hosts below it."""
    name = text.removeprefix("*.")
    try:
        host = _compared(*parse_host(f"[{name}]" if ":" in name and not name.startswith("[") else name))
    except UrlInvalid as err:
        raise Misconfigured(f'{setting}: {text!r} is neither a host nor "*." and a host') from err
    return host if name == text else f".{host}"


def _compared(host: str, literal: IPAddress | None) -> str:
    """The host in the form the lists are compared in: a number that IPv6 only writes otherwise is the same number."""
    return host if literal is None else str(as_ipv4(literal))


def _listed(host: str, patterns: Sequence[str]) -> bool:
    return any(host.endswith(pattern) if pattern.startswith(".") else host == pattern for pattern in patterns)
