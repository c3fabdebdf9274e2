"""Hosts of pictures that fail, lie or lead elsewhere, and the code each must end with."""

from dataclasses import dataclass

from backend.errors import UrlBroken, UrlTooSlow, UrlUnreachable
from tests import hosts, pictures
from tests.hosts import Behaviour

DENIED = "169.254.169.254"
"""A host the server under test is told not to fetch from: it may fetch from loopback, where these hosts are."""
FETCH_SECONDS = 1.0
MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Hosted:
    """What a host does when it is asked for a picture. `path`: where."""

    name: str
    behaviour: Behaviour
    code: str

    @property
    def transient(self) -> bool:
        return self.code in {UrlUnreachable.code, UrlTooSlow.code, UrlBroken.code}


def _jpeg() -> bytes:
    return pictures.jpeg(64, 64)


HOSTED = [
    Hosted("says 404", hosts.status(404), "url_refused"),
    Hosted("says 403", hosts.status(403), "url_refused"),
    Hosted("says 204, no content", hosts.status(204), "url_fetch_failed"),
    Hosted("says 500", hosts.status(500), "url_host_failed"),
    Hosted("says 429", hosts.status(429), "url_host_failed"),
    Hosted("says 304 though nobody asked whether it changed", hosts.raw(b"HTTP/1.1 304 X\r\n\r\n"), "url_host_failed"),
    Hosted("speaks no HTTP", hosts.raw(b"hello\r\n\r\n"), "url_host_failed"),
    Hosted("closes before it answers", hosts.raw(b""), "url_host_failed"),
    Hosted("resets the connection", hosts.resetting(), "url_host_failed"),
    Hosted("closes half way", hosts.lying(_jpeg()[:500], 5_000), "url_host_failed"),
    Hosted("sends half a picture and calls it whole", hosts.picture(pictures.truncated(_jpeg())), "image_truncated"),
    Hosted("announces more than may be sent", hosts.lying(_jpeg(), 10_000_000_000), "image_too_large"),
    Hosted("sends more than may be sent, without a length", hosts.endless(), "image_too_large"),
    Hosted(
        "announces a length that is none", hosts.raw(b"HTTP/1.1 200 X\r\nContent-Length: -1\r\n\r\n"), "url_host_failed"
    ),
    Hosted("accepts and never answers", hosts.silent(), "url_too_slow"),
    Hosted("answers too late", hosts.late(FETCH_SECONDS * 3, hosts.picture(_jpeg())), "url_too_slow"),
    Hosted(
        "sends a byte now and then",
        hosts.dripping(b"\xff", 0.1, ahead=b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n"),
        "url_too_slow",
    ),
    Hosted("sends its header a byte now and then", hosts.dripping(b"X", 0.1, ahead=b"HTTP/1.1 200 "), "url_too_slow"),
    Hosted("sends a compressed body that unpacks to 100 MB", hosts.gzip_bomb(100_000_000), "url_fetch_failed"),
    Hosted(
        "sends HTML", hosts.status(200, {"Content-Type": "image/jpeg"}, pictures.html_bytes()), "image_unsupported_type"
    ),
    Hosted(
        "sends SVG", hosts.status(200, {"Content-Type": "image/png"}, pictures.svg_bytes()), "image_unsupported_type"
    ),
    Hosted("sends a bomb of 100 megapixels", hosts.picture(pictures.bomb_png()), "image_too_many_pixels"),
    Hosted("sends nothing", hosts.status(200), "image_empty"),
    Hosted("redirects to itself for ever", hosts.redirect(""), "url_too_many_redirects"),
    Hosted("redirects to the clouds' metadata", hosts.redirect(f"http://{DENIED}/latest/"), "url_not_allowed"),
    Hosted("redirects to it in decimal", hosts.redirect("http://2852039166/latest/"), "url_not_allowed"),
    Hosted("redirects to it without a scheme", hosts.redirect(f"//{DENIED}/latest/"), "url_not_allowed"),
    Hosted("redirects to a file", hosts.redirect("file:///etc/passwd"), "url_invalid"),
    Hosted("redirects to gopher", hosts.redirect("gopher://127.0.0.1:6379/_FLUSHALL"), "url_invalid"),
    Hosted("redirects to port 22", hosts.redirect("http://127.0.0.1:22/"), "url_invalid"),
    Hosted("redirects to a user name", hosts.redirect("http://a@127.0.0.1/"), "url_invalid"),
]
