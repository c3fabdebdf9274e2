"""The text of an address -> scheme, host, port and path, read once: all that follows works on what was understood here.

Two parsers that understand one text differently are how checks are passed by, so none but this one reads it: httpcore
is handed the parts. Grammar: RFC 3986; what people write (spaces, umlauts, full-width digits) is encoded as in a
browser.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import idna

from backend.errors import UrlInvalid
from backend.fetching.special_networks import IPAddress

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_MAX_LENGTH: Final = 8_000  # characters; RFC 9110, 4.1 asks for no more to be supported
_MAX_HOST: Final = 253  # characters of a name, RFC 1035
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{0,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")  # underscores: not in the RFC, but in use
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes the host an IPv4 address (WHATWG URL)
_UNWANTED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|[\ud800-\udfff]")  # also what browsers take for a slash
_PLAIN: Final = "%!$&'()*+,;=:@/?[]"  # stays as it is, with letters, digits and "-._~"; what is encoded stays encoded


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it will be asked for. `host`: lower-case ASCII, IPv6 without brackets; `target`: path and query.

    `literal`: the IP address when the host is one, in whatever form it was written.
    """

    scheme: str
    host: str
    port: int
    target: str
    literal: IPAddress | None

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them: the port only when it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse(text: str) -> Address:
    """Raises `UrlInvalid` for all that is no http or https address of a host."""
    text = text.strip(" ")
    if len(text) > _MAX_LENGTH:
        raise UrlInvalid(f"the address is longer than {_MAX_LENGTH} characters")
    if _UNWANTED.search(text):
        raise UrlInvalid("the address has a control character or a backslash")
    parts = _ADDRESS.fullmatch(text)
    if parts is None:
        raise UrlInvalid("this is not an absolute address")
    scheme = parts[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise UrlInvalid("only http and https addresses are fetched")
    if "@" in parts[2]:
        raise UrlInvalid("an address with a user name is not fetched")
    authority = _AUTHORITY.fullmatch(parts[2])
    if authority is None:
        raise UrlInvalid("the address has no host that can be understood")
    port = int(authority[2]) if authority[2] else DEFAULT_PORTS[scheme]
    host, literal = parse_host(authority[1])
    return Address(scheme, host, port, quote((parts[3] or "/") + (parts[4] or ""), safe=_PLAIN), literal)


def parse_host(text: str) -> tuple[str, IPAddress | None]:
    """The host in the one form it is compared in, and the IP address if it is one. Raises `UrlInvalid`."""
    if text.startswith("["):
        try:
            literal = ipaddress.IPv6Address(text.strip("[]"))
        except ValueError as err:
            raise UrlInvalid("the address has no valid IPv6 host") from err
        return str(literal), literal
    host = _ascii(text).removesuffix(".")
    labels = host.split(".")
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlInvalid("the host's name is not valid")
    if not _NUMBER.fullmatch(labels[-1]):
        return host, None
    try:  # decimal, hex, octal and shortened forms: what the system's resolver makes of them, it makes of them here
        number = ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError as err:
        raise UrlInvalid("the address has no valid IPv4 host") from err
    return str(number), number


def _ascii(host: str) -> str:
    """Lower-case ASCII: umlauts as IDNA 2008, full-width and circled digits as the digits they mean (UTS 46)."""
    if host.isascii():
        return host.lower()
    if len(host) > _MAX_HOST:  # what the encoding costs grows faster than the name
        raise UrlInvalid("the host's name is not valid")
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except UnicodeError as err:
        raise UrlInvalid("the host's name is not valid") from err
