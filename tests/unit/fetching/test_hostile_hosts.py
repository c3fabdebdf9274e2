"""Hosts that are slow, lie, break off or send too much: one error each, within the limits."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend import errors
from backend.fetching.http_fetcher import HttpPictureFetcher
from backend.ports import Fetched
from tests.hosts import (
    Behaviour,
    Exchange,
    HangUp,
    Host,
    dripping,
    endless,
    first,
    gzip_bomb,
    late,
    lying,
    picture,
    raw,
    redirect,
    resetting,
    silent,
    status,
)
from tests.internet import PUBLIC, Internet
from tests.unit.fetching.conftest import Make

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n"
CUP = b"cup" * 1_000


def local(make: Make, host: Host, **given: object) -> HttpPictureFetcher:
    return make(allow_private=True, ports=[host.port], **given)


BROKEN = {
    "fewer bytes than announced": lying(b"x" * 10, 20),
    "closed without an answer": raw(b""),
    "closed in the status line": raw(b"HTTP/1."),
    "closed in the headers": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "not HTTP": raw(b"220 mail.example ESMTP\r\n"),
    "headers without end": dripping(b"X-Filler: 0123456789\r\n" * 100, 0, ahead=b"HTTP/1.1 200 OK\r\n"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    "a length below nothing": raw(b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"),
    "a broken chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
    "chunks without an end": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    "reset": resetting(),
    "304 unasked": status(304),
    "429": status(429, {"Retry-After": 5}),
    "500": status(500),
    "502": status(502),
    "503": status(503),
}


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_a_host_that_breaks_is_tried_again_later(make: Make, behaviour: Behaviour) -> None:
    with Host({"/": behaviour}) as host, pytest.raises(errors.UrlBroken) as caught:
        local(make, host).fetch(host.url("/"))
    assert caught.value.transient


SLOW = {
    "never answers": silent(),
    "a header byte now and then": dripping(b"x", 0.05, ahead=b"HTTP/1.1 200 OK\r\nX-Filler: "),
    "a body byte now and then": dripping(b"x", 0.05, ahead=HEAD),
    "a chunk now and then": dripping(
        b"1\r\nx\r\n", 0.05, ahead=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    "always about to answer": dripping(b"HTTP/1.1 102 Processing\r\n\r\n", 0.05),
    "nothing after the headers": dripping(b"", 3600, ahead=HEAD),
}


@pytest.mark.parametrize("behaviour", SLOW.values(), ids=SLOW)
def test_no_kind_of_slowness_outlives_the_time_for_a_picture(make: Make, behaviour: Behaviour) -> None:
    with Host({"/": behaviour}) as host, pytest.raises(errors.UrlTooSlow) as caught:
        local(make, host, seconds=0.4).fetch(host.url("/"))
    assert caught.value.transient


def test_redirects_share_the_time_for_a_picture(make: Make) -> None:
    hops = {f"/{hop}": late(0.3, redirect(f"/{hop + 1}")) for hop in range(10)}
    with Host(hops) as host, pytest.raises(errors.UrlTooSlow):
        local(make, host, seconds=2.0, max_redirects=10).fetch(host.url("/0"))
    assert 1 < host.requests.total() < 8


def test_a_lookup_shares_the_time_for_a_picture(make: Make) -> None:
    answered = threading.Event()

    def resolve(host: str) -> list[str]:
        answered.wait(60)
        return [PUBLIC]

    with pytest.raises(errors.UrlTooSlow):
        make(seconds=0.2, resolve=resolve).fetch("http://shop.example/")
    answered.set()


def test_a_length_over_the_limit_is_refused_before_the_body_is_read(make: Make) -> None:
    announcing = dripping(b"", 3600, ahead=b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n")
    with Host({"/": announcing}) as host, pytest.raises(errors.ImageTooLarge):
        local(make, host).fetch(host.url("/"))


def test_a_body_over_the_limit_is_refused_whatever_was_announced(make: Make) -> None:
    with Host({"/endless": endless(), "/unsaid": raw(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_001))}) as host:
        fetcher = local(make, host)
        for path in ("/endless", "/unsaid"):
            with pytest.raises(errors.ImageTooLarge):
                fetcher.fetch(host.url(path))


def test_a_body_of_exactly_the_limit_comes_whole(make: Make) -> None:
    data = bytes(range(250)) * 400
    with Host({"/": picture(data), "/unsaid": raw(b"HTTP/1.0 200 OK\r\n\r\n" + data)}) as host:
        fetcher = local(make, host)
        assert fetcher.fetch(host.url("/")).data == data
        assert fetcher.fetch(host.url("/unsaid")).data == data


def test_a_compressed_answer_is_refused_unread_and_not_asked_again(make: Make) -> None:
    with Host({"/": gzip_bomb(50_000_000)}) as host:
        with pytest.raises(errors.UnfetchablePicture) as caught:
            local(make, host).fetch(host.url("/"))
        assert host.asked[0]["accept-encoding"] == "identity"
    assert not caught.value.transient


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451])
def test_a_refusal_is_final_and_names_its_status(make: Make, code: int) -> None:
    with Host({"/": status(code)}) as host, pytest.raises(errors.UrlRefused, match=str(code)) as caught:
        local(make, host).fetch(host.url("/"))
    assert not caught.value.transient


@pytest.mark.parametrize("code", [201, 204, 206, 300, 302])
def test_an_answer_that_is_neither_a_picture_nor_an_error_is_final(make: Make, code: int) -> None:
    with Host({"/": status(code)}) as host, pytest.raises(errors.UnfetchablePicture, match=str(code)) as caught:
        local(make, host).fetch(host.url("/"))
    assert not caught.value.transient


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_to_their_end(make: Make, code: int) -> None:
    hops = {"/a/b": redirect("../c?x=ü", code), "/c?x=%C3%BC": redirect("/d", code), "/d": picture(CUP)}
    with Host(hops) as host:
        assert local(make, host, max_redirects=2).fetch(host.url("/a/b")).data == CUP


def test_a_loop_of_redirects_ends_at_the_limit(make: Make) -> None:
    with Host({"/": redirect("/")}) as host:
        with pytest.raises(errors.TooManyRedirects) as caught:
            local(make, host).fetch(host.url("/"))
        assert host.requests["/"] == 4
    assert not caught.value.transient


def test_no_redirect_is_followed_where_none_is_allowed(make: Make) -> None:
    with Host({"/": redirect("/cup"), "/cup": picture(CUP)}) as host:
        with pytest.raises(errors.TooManyRedirects):
            local(make, host, max_redirects=0).fetch(host.url("/"))
        assert host.requests["/cup"] == 0


def test_a_request_carries_validators_and_nothing_else_of_what_was_before(make: Make) -> None:
    with Host({"/": picture(CUP, etag='"1"'), "/moved": status(302, {"Location": "/", "Set-Cookie": "a=b"})}) as host:
        fetcher = local(make, host, user_agent="Shelfsight/test")
        for path in ("/moved", "/"):
            fetcher.fetch(host.url(path))
        assert fetcher.fetch(host.url("/"), etag='"1"') == Fetched(None, '"1"', None)
        sent = {"host", "user-agent", "accept", "accept-encoding"}
        assert [set(headers) - sent for headers in host.asked] == [set(), set(), set(), {"if-none-match"}]
        assert {headers["user-agent"] for headers in host.asked} == {"Shelfsight/test"}
        assert {headers["accept"] for headers in host.asked} == {"image/*"}


def test_a_redirect_that_leads_to_another_picture_is_not_taken_for_unchanged(make: Make) -> None:
    date = "Mon, 02 Jun 2025 10:00:00 GMT"
    other = picture(b"lamp" * 100, etag='"1"', last_modified=date)  # of two hosts, or by the same clock
    with Host({"/": redirect("/cup"), "/cup": picture(CUP, etag='"1"', last_modified=date), "/lamp": other}) as host:
        fetcher = local(make, host)
        assert fetcher.fetch(host.url("/")) == Fetched(CUP, None, None)
        host.behaviours["/"] = redirect("/lamp")
        for known in ({"etag": '"1"'}, {"last_modified": date}):
            assert fetcher.fetch(host.url("/"), **known) == Fetched(b"lamp" * 100, None, None)


@pytest.mark.parametrize("etag", ['"1"\r\nX-Injected: 1', '"\x00"', '"ü"', '"' + "1" * 5_000 + '"'])
def test_a_validator_that_does_not_fit_a_header_is_not_sent(make: Make, etag: str) -> None:
    with Host({"/": picture(CUP)}) as host:
        assert local(make, host).fetch(host.url("/"), etag=etag).data == CUP
        assert not {"if-none-match", "x-injected"} & set(host.asked[0])


def test_pictures_of_one_host_share_a_connection(make: Make) -> None:
    with Host({f"/{number}": picture(CUP) for number in range(5)}) as host:
        fetcher = local(make, host)
        for number in range(5):
            assert fetcher.fetch(host.url(f"/{number}")).data == CUP
        assert host.connected == 1


def test_a_connection_that_was_broken_off_is_not_used_again(make: Make) -> None:
    with Host({"/cut": lying(b"x", 9), "/": first(1, status(503), picture(CUP))}) as host:
        fetcher = local(make, host)
        for path in ("/cut", "/"):
            with pytest.raises(errors.UrlBroken):
                fetcher.fetch(host.url(path))
        assert fetcher.fetch(host.url("/")).data == CUP


def test_a_connection_the_host_closed_while_it_was_idle_is_not_used_again(make: Make) -> None:
    def answer_and_leave(exchange: Exchange) -> None:
        exchange.answer(200, body=CUP)
        raise HangUp

    with Host({"/": answer_and_leave}) as host:
        fetcher = local(make, host)
        for number in range(1, 4):
            assert fetcher.fetch(host.url("/")).data == CUP
            while host.open_now():
                threading.Event().wait(0.005)
            assert host.connected == number


def test_the_next_address_of_a_host_is_tried_when_one_does_not_answer(make: Make) -> None:
    with Host({"/": picture(CUP)}) as host:
        internet = Internet({"shop.example": [["2606:4700::1111", PUBLIC]]}, {PUBLIC: host.port})
        fetcher = make(resolve=internet.resolve, connect=internet.connect)
        assert fetcher.fetch("http://shop.example/").data == CUP
        assert internet.tried == ["2606:4700::1111", PUBLIC]


def test_one_host_serves_no_more_fetches_at_once_than_allowed(make: Make) -> None:
    with Host({f"/{number}": late(0.05, picture(CUP)) for number in range(24)}) as host:
        fetcher = local(make, host, per_host=3)
        with ThreadPoolExecutor(12) as threads:
            got = list(threads.map(lambda number: fetcher.fetch(host.url(f"/{number}")).data, range(24)))
    assert got == [CUP] * 24
    assert host.most_at_once == 3


def test_many_threads_get_their_own_pictures(make: Make) -> None:
    pictures = {f"/{number}": f"picture {number}".encode() * 500 for number in range(200)}
    with Host({path: picture(data) for path, data in pictures.items()}) as host:
        fetcher = local(make, host, per_host=8)
        with ThreadPoolExecutor(16) as threads:
            got = dict(
                zip(pictures, threads.map(lambda path: fetcher.fetch(host.url(path)).data, pictures), strict=True)
            )
    assert got == pictures


def test_a_host_that_keeps_failing_is_left_alone(make: Make) -> None:
    with Host({"/": status(500), "/cup": picture(CUP)}) as host, Host({"/cup": picture(CUP)}) as other:
        fetcher = make(allow_private=True, ports=[host.port, other.port])
        for _ in range(5):
            with pytest.raises(errors.UrlBroken, match="500"):
                fetcher.fetch(host.url("/"))
        with pytest.raises(errors.UrlBroken, match="left alone") as caught:
            fetcher.fetch(host.url("/cup"))
        assert caught.value.transient
        assert host.requests.total() == 5
        assert fetcher.fetch(other.url("/cup").replace("127.0.0.1", "localhost")).data == CUP
