"""The sockets under httpcore: connected to checked addresses only, every operation within the fetch's deadline."""

import ipaddress
import select
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from backend.errors import UnfetchablePicture, UrlBroken, UrlTooSlow, UrlUnreachable
from backend.fetching.deadline import Deadline
from backend.fetching.lookup import UNREACHABLE, Lookup
from backend.fetching.special_networks import IPAddress

Connect = Callable[[str, int, float], socket.socket]
"""An IP address as text, a port and seconds -> a connected socket. Raises `OSError`."""


def system_connection(address: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection. The address is a number, so nothing is looked up."""
    return socket.create_connection((address, port), seconds)


class PinnedBackend(httpcore.NetworkBackend):
    """Looks a host up once, checks every answer, and connects to one of those very addresses.

    httpcore keeps the host's name for the Host header, the server name of TLS and the check of the certificate. So
    between the check and the connection there is no second lookup that could answer otherwise (DNS rebinding).
    """

    def __init__(self, lookup: Lookup, deadline: Deadline, connect: Connect) -> None:
        self._lookup = lookup
        self._deadline = deadline
        self._connect = connect

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> "Stream":
        """Try the host's addresses in turn, each with its share of the time. Raises our errors, not httpcore's."""
        del timeout, local_address, socket_options  # httpcore's; the deadline stands for them
        addresses = self._lookup.addresses(host)
        slow = False
        for tried, address in enumerate(addresses):
            try:
                return self._connected(address, port, self._deadline.left() / (len(addresses) - tried))
            except TimeoutError:
                slow = True
            except OSError:
                continue
        raise self._deadline.missed() if slow else UrlUnreachable(UNREACHABLE)

    def _connected(self, address: IPAddress, port: int, seconds: float) -> "Stream":
        sock = self._connect(str(address), port, seconds)
        try:
            # The last word: whatever stood in between, this is who is at the other end.
            if ipaddress.ip_address(sock.getpeername()[0]) != address:
                raise OSError("connected to another address than the one that was checked")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return Stream(sock, self._deadline)


class Stream(httpcore.NetworkStream):
    """A connected socket that never waits beyond the deadline of the fetch whose thread uses it."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes`; none at the end."""
        del timeout
        self._socket.settimeout(self._deadline.left())
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as err:
            raise self._deadline.missed() from err
        except OSError as err:
            raise UrlBroken("the host broke the connection") from err

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of it."""
        del timeout
        self._socket.settimeout(self._deadline.left())
        try:
            self._socket.sendall(buffer)
        except TimeoutError as err:
            raise self._deadline.missed() from err
        except OSError as err:
            raise httpcore.WriteError(str(err)) from err  # httpcore then reads: the host may have answered before

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Stream":
        """The same connection, encrypted, with a certificate that is valid for the host."""
        del timeout
        try:
            self._socket.settimeout(self._deadline.left())
            return Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._deadline)
        except (OSError, UrlTooSlow) as err:
            self.close()
            raise self._tls_error(err) from err

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: whether an idle connection was closed by the host, or sent what nobody asked for."""
        if info != "is_readable":
            return None
        poll = select.poll()  # only looks: another thread may be about to use the connection
        try:
            poll.register(self._socket, select.POLLIN)
        except ValueError:  # closed here
            return True
        return bool(poll.poll(0))

    def _tls_error(self, err: Exception) -> UnfetchablePicture:
        if isinstance(err, ssl.SSLCertVerificationError):  # will be as wrong in a minute: not worth another try
            return UnfetchablePicture(f"the host's certificate is not valid: {err.verify_message}")
        if isinstance(err, TimeoutError | UrlTooSlow):
            return self._deadline.missed()
        return UrlBroken("no encrypted connection with the host came about")
