"""TLS: the certificate has to be valid for the name in the address, whatever it resolves to."""

import shutil
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend import errors
from tests.hosts import Host, dripping, picture
from tests.internet import PUBLIC, Internet
from tests.unit.fetching.conftest import Make

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates of this test")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for shop.example and its key, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    path = folder / "shop.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"),
            *("-keyout", str(folder / "key"), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text("ascii") + (folder / "key").read_text("ascii"), "ascii")
    return path


def serving(certificate: Path, names: list[str | None]) -> ssl.SSLContext:
    """A server's side that notes the names it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context


@pytest.mark.parametrize("host_name", ["shop.example", "other.example"])
def test_a_certificate_has_to_be_for_the_host_of_the_address(make: Make, certificate: Path, host_name: str) -> None:
    names: list[str | None] = []
    with Host({"/": picture(b"cup")}, tls=serving(certificate, names)) as host:
        internet = Internet({host_name: [[PUBLIC]]}, {PUBLIC: host.port})
        trusting = ssl.create_default_context(cafile=str(certificate))
        fetcher = make(resolve=internet.resolve, connect=internet.connect, ssl_context=trusting)
        if host_name == "shop.example":
            assert fetcher.fetch(f"https://{host_name}/").data == b"cup"
            assert fetcher.fetch(f"https://{host_name}/").data == b"cup"
            assert host.asked[0]["host"] == "shop.example"
            assert host.connected == 1
        else:
            with pytest.raises(errors.UnfetchablePicture, match="certificate") as caught:
                fetcher.fetch(f"https://{host_name}/")
            assert not caught.value.transient
            assert host.requests.total() == 0
    assert names == [host_name]


def test_a_certificate_nobody_vouches_for_is_refused(make: Make, certificate: Path) -> None:
    with Host({"/": picture(b"cup")}, tls=serving(certificate, [])) as host:
        internet = Internet({"shop.example": [[PUBLIC]]}, {PUBLIC: host.port})
        with pytest.raises(errors.UnfetchablePicture, match="certificate"):
            make(resolve=internet.resolve, connect=internet.connect).fetch("https://shop.example/")
        assert host.requests.total() == 0


def test_a_host_that_speaks_no_tls_is_broken_and_one_that_never_greets_is_slow(make: Make) -> None:
    def talk_mail(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.recv(10_000)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        internet = Internet({"shop.example": [[PUBLIC]]}, {PUBLIC: listener.getsockname()[1]})
        threads.submit(talk_mail, listener)
        with pytest.raises(errors.UrlBroken):
            make(resolve=internet.resolve, connect=internet.connect).fetch("https://shop.example/")
        with pytest.raises(errors.UrlTooSlow):  # nobody accepts any more
            make(resolve=internet.resolve, connect=internet.connect, seconds=0.2).fetch("https://shop.example/")


def test_a_slow_body_in_tls_ends_in_time_too(make: Make, certificate: Path) -> None:
    drip = dripping(b"x", 0.05, ahead=b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n")
    with Host({"/": drip}, tls=serving(certificate, [])) as host:
        internet = Internet({"shop.example": [[PUBLIC]]}, {PUBLIC: host.port})
        trusting = ssl.create_default_context(cafile=str(certificate))
        fetcher = make(resolve=internet.resolve, connect=internet.connect, ssl_context=trusting, seconds=0.4)
        with pytest.raises(errors.UrlTooSlow):
            fetcher.fetch("https://shop.example/")


def test_an_encrypted_address_may_redirect_to_a_plain_one(make: Make, certificate: Path) -> None:
    plain = Host({"/cup": picture(b"cup")})
    redirecting = Host(
        {"/": lambda exchange: exchange.answer(302, {"Location": "http://plain.example/cup"})},
        tls=serving(certificate, []),
    )
    with plain, redirecting:
        other = "93.184.216.35"
        internet = Internet(
            {"shop.example": [[PUBLIC]], "plain.example": [[other]]}, {PUBLIC: redirecting.port, other: plain.port}
        )
        trusting = ssl.create_default_context(cafile=str(certificate))
        fetcher = make(resolve=internet.resolve, connect=internet.connect, ssl_context=trusting)
        assert fetcher.fetch("https://shop.example/").data == b"cup"
