"""No way of writing, resolving or redirecting leads to an address that is not public."""

import ipaddress
import socket

import pytest

from backend import errors
from backend.fetching.lookup import UNREACHABLE
from tests.hosts import Host, picture, redirect
from tests.internet import PUBLIC, Internet
from tests.unit.fetching.conftest import Make

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",  # noqa: RUF001
    "127。0。0。1",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "ｌocalhost",  # noqa: RUF001
    "a.localhost",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fe80::5efe:127.0.0.1]",
]
ELSEWHERE = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "100.64.0.1",
    "10.0.0.1",
    "192.168.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "qdrant",
    "redis",
    "metadata.google.internal",
    "printer.local",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_no_form_of_loopback_reaches_a_server_there(make: Make, host: str) -> None:
    with Host({"/": picture(b"secret")}) as canary:
        fetcher = make(ports=[canary.port])
        url = f"http://{host}:{canary.port}/"
        with pytest.raises(errors.UrlNotAllowed):
            fetcher.check(url)
        with pytest.raises(errors.UrlNotAllowed):
            fetcher.fetch(url)
    assert canary.connected == 0


@pytest.mark.parametrize("host", ELSEWHERE)
def test_metadata_services_and_private_hosts_are_neither_looked_up_nor_connected_to(make: Make, host: str) -> None:
    internet = Internet()
    fetcher = make(resolve=internet.resolve, connect=internet.connect)
    with pytest.raises(errors.UrlNotAllowed):
        fetcher.fetch(f"http://{host}/latest/meta-data/")
    assert (internet.lookups, internet.tried) == ([], [])


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["::1"],
        ["169.254.169.254"],
        ["10.1.2.3"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["fe80::1%1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "2606:4700::1111", "fd00::1"],
        [],
        ["what is this"],
    ],
)
def test_a_name_with_one_answer_that_is_not_public_is_not_connected_to(make: Make, answers: list[str]) -> None:
    internet = Internet({"shop.example": [answers]})
    with pytest.raises(errors.UrlUnreachable):
        make(resolve=internet.resolve, connect=internet.connect).fetch("http://shop.example/")
    assert (internet.lookups, internet.tried) == (["shop.example"], [])


def test_the_system_resolver_is_checked_like_any_other(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Host({"/": picture(b"secret")}) as canary:
        answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [answer])
        with pytest.raises(errors.UrlUnreachable):
            make(ports=[canary.port]).fetch(f"http://shop.example:{canary.port}/")
        monkeypatch.undo()
    assert canary.connected == 0


def test_a_name_is_looked_up_once_and_the_answer_that_was_checked_is_connected_to(make: Make) -> None:
    with Host({"/cup.jpg": picture(b"cup")}) as host:
        internet = Internet({"rebinding.example": [[PUBLIC], ["127.0.0.1"]]}, {PUBLIC: host.port})
        fetcher = make(resolve=internet.resolve, connect=internet.connect)
        assert fetcher.fetch("http://rebinding.example/cup.jpg").data == b"cup"
        assert (internet.lookups, internet.tried) == (["rebinding.example"], [PUBLIC])
        assert host.asked[0]["host"] == "rebinding.example"


def test_a_name_that_is_rebound_between_two_hops_is_refused_at_the_second(make: Make) -> None:
    closing = {"Location": "http://rebinding.example/2", "Connection": "close"}
    with Host({"/": lambda exchange: exchange.answer(302, closing), "/2": picture(b"secret")}) as host:
        internet = Internet({"rebinding.example": [[PUBLIC], ["127.0.0.1"]]}, {PUBLIC: host.port})
        with pytest.raises(errors.UrlUnreachable):
            make(resolve=internet.resolve, connect=internet.connect).fetch("http://rebinding.example/")
        assert internet.tried == [PUBLIC]
        assert host.requests["/2"] == 0


def test_a_connection_that_ended_elsewhere_is_not_used(make: Make) -> None:
    with Host({"/": picture(b"secret")}) as canary:
        port = canary.port
        fetcher = make(
            resolve=lambda _: [PUBLIC],
            connect=lambda _address, _port, seconds: socket.create_connection(("127.0.0.1", port), seconds),
        )
        with pytest.raises(errors.UrlUnreachable):
            fetcher.fetch("http://shop.example/")
    assert canary.requests.total() == 0


def test_blocked_unknown_and_dead_hosts_cannot_be_told_apart(make: Make) -> None:
    internet = Internet({"inside.example": [["10.0.0.5"]], "dead.example": [[PUBLIC]]})
    fetcher = make(resolve=internet.resolve, connect=internet.connect)
    told = set()
    for host in ("inside.example", "dead.example", "unknown.example"):
        with pytest.raises(errors.UrlUnreachable) as caught:
            fetcher.fetch(f"http://{host}/")
        told.add((type(caught.value), caught.value.detail))
    assert told == {(errors.UrlUnreachable, UNREACHABLE)}


REDIRECTS = [
    ("http://127.0.0.1/", errors.UrlNotAllowed),
    ("http://169.254.169.254/latest/meta-data/", errors.UrlNotAllowed),
    ("//[::ffff:169.254.169.254]/", errors.UrlNotAllowed),
    ("http://2852039166/", errors.UrlNotAllowed),
    ("http://localhost/", errors.UrlNotAllowed),
    ("http://denied.example/", errors.UrlNotAllowed),
    ("http://inside.example/", errors.UrlUnreachable),
    ("http://mixed.example/", errors.UrlUnreachable),
    ("http://shop.example:6379/", errors.UrlInvalid),
    ("http://user:secret@shop.example/", errors.UrlInvalid),
    ("file:///etc/passwd", errors.UrlInvalid),
    ("gopher://redis.example:6379/_FLUSHALL", errors.UrlInvalid),
    ("data:image/png;base64,AAAA", errors.UrlInvalid),
    ("http://[::1", errors.UrlInvalid),
]


@pytest.mark.parametrize(("location", "error"), REDIRECTS)
def test_a_redirect_leads_nowhere_a_first_address_may_not(
    make: Make, location: str, error: type[errors.UnfetchablePicture]
) -> None:
    names = {
        "shop.example": [[PUBLIC]],
        "denied.example": [[PUBLIC]],
        "inside.example": [["10.0.0.5"]],
        "mixed.example": [[PUBLIC, "::1"]],
    }
    with Host({"/": redirect(location)}) as host:
        internet = Internet(names, {PUBLIC: host.port})
        fetcher = make(resolve=internet.resolve, connect=internet.connect, deny_hosts=["denied.example"])
        with pytest.raises(error):
            fetcher.fetch("http://shop.example/")
        assert internet.tried == [PUBLIC]
        assert host.requests.total() == 1


def test_proxies_of_the_environment_are_not_used(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Host({"/cup.jpg": picture(b"cup")}) as host, Host() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert make(allow_private=True, ports=[host.port]).fetch(host.url("/cup.jpg")).data == b"cup"
    assert proxy.connected == 0


def test_private_hosts_are_fetched_from_where_that_is_allowed(make: Make) -> None:
    with Host({"/cup.jpg": picture(b"cup")}) as host:
        fetcher = make(allow_private=True, ports=[host.port])
        for name in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
            url = f"http://{name}:{host.port}/cup.jpg"
            fetcher.check(url)
            assert fetcher.fetch(url).data == b"cup"
        with pytest.raises(errors.UrlInvalid):
            fetcher.check("http://127.0.0.1:6379/")


def test_the_public_address_of_these_tests_is_public() -> None:
    assert ipaddress.ip_address(PUBLIC).is_global
