"""Texts of addresses: what they mean, and which of them mean nothing."""

import pytest

from backend import errors
from backend.fetching.address import parse
from backend.fetching.rules import Rules


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("http://shop.example", "http://shop.example/"),
        ("HTTP://Shop.EXAMPLE:80/A?b#c", "http://shop.example/A?b"),
        ("https://shop.example:443/", "https://shop.example/"),
        ("https://shop.example:8443/", "https://shop.example:8443/"),
        ("https://shop.example./x", "https://shop.example/x"),
        ("  https://shop.example/x ", "https://shop.example/x"),
        ("https://shop.example?x=1", "https://shop.example/?x=1"),
        ("https://shop.example/a b/tür.jpg", "https://shop.example/a%20b/t%C3%BCr.jpg"),
        ("https://shop.example/a%20b?x=%2F|y", "https://shop.example/a%20b?x=%2F%7Cy"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://my_shop.example/", "https://my_shop.example/"),
        ("https://ｓｈｏｐ。example/", "https://shop.example/"),  # noqa: RUF001
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://[2606:4700:0:0::1111]:80/", "http://[2606:4700::1111]/"),
        ("http://0x5db8d822/", "http://93.184.216.34/"),
        ("http://①.①.①.①/", "http://1.1.1.1/"),
    ],
)
def test_an_address_has_one_form_whatever_it_was_written_like(text: str, meant: str) -> None:
    assert str(parse(text)) == meant
    assert str(parse(meant)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cup.jpg",
        "//shop.example/x",
        "http:/shop.example/x",
        "http://",
        "http:///x",
        "http://:80/",
        "http://?x",
        "file:///etc/passwd",
        "gopher://redis.example:6379/_FLUSHALL",
        "ftp://shop.example/x",
        "dict://shop.example:11211/stat",
        "data:image/png;base64,AAAA",
        "jar:http://shop.example/x!/y",
        "javascript:alert(1)",
        "http://user@shop.example/",
        "http://user:secret@shop.example/",
        "http://good.example@127.0.0.1/",
        "http://good.example\\@127.0.0.1/",
        "http:\\\\shop.example/",
        "http://shop.example/a\r\nHost: evil.example",
        "http://shop.example/\x00",
        "http://shop.example/\ud800",
        "http://shop.example\t/",
        "http://shop .example/",
        "http://127.0.0.1%20/",
        "http://%31%32%37.0.0.1/",
        "http://shop..example/",
        "http://shop.example../",
        "http://.shop.example/",
        "http://-shop.example/",
        "http://shop.example:80:80/",
        "http://shop.example:8O/",
        "http://shop.example:-1/",
        "http://shop.example:٨٠/",
        "http://[::1/",
        "http://::1/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:1.2.3.4.5]/",
        "http://[shop.example]/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://08.1.1.1/",
        "http://4294967296/",
        f"http://{'a' * 64}.example/",
        f"http://{'a.' * 130}example/",
        f"http://{'ü' * 5_000}.example/",
        f"http://shop.example/{'a' * 8_000}",
    ],
)
def test_what_is_no_address_of_a_host_is_invalid(text: str) -> None:
    with pytest.raises(errors.UrlInvalid):
        parse(text)


def rules(**given: object) -> Rules:
    plain: dict[str, object] = {"ports": [80, 443], "allow_hosts": [], "deny_hosts": [], "allow_private": False}
    return Rules(**{**plain, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("port", [0, 22, 6333, 8080, 65535, 99999])
@pytest.mark.parametrize("allow_private", [False, True])
def test_only_the_ports_of_the_list_are_asked_private_or_not(port: int, allow_private: bool) -> None:
    with pytest.raises(errors.UrlInvalid):
        rules(allow_private=allow_private).admit(f"http://shop.example:{port}/")
    if 0 < port < 65536:
        assert rules(ports=[port]).admit(f"http://shop.example:{port}/").port == port


def test_only_hosts_of_the_allow_list_are_asked_when_there_is_one() -> None:
    some = rules(allow_hosts=["shop.example", "*.CDN.example", "bücher.example", "1.1.1.1"])
    for url in (
        "http://SHOP.example./",
        "http://a.b.cdn.example/",
        "http://xn--bcher-kva.example/",
        "http://0x01010101/",
    ):
        some.admit(url)
    for url in (
        "http://cdn.example/",
        "http://a.shop.example/",
        "http://evilcdn.example/",
        "http://shop.example.evil/",
    ):
        with pytest.raises(errors.UrlNotAllowed):
            some.admit(url)


def test_hosts_of_the_deny_list_are_not_asked_even_if_allowed() -> None:
    some = rules(allow_hosts=["*.shop.example"], deny_hosts=["old.shop.example", "*.old.shop.example", "2606:4700::1"])
    some.admit("http://new.shop.example/")
    for url in ("http://OLD.shop.example./", "http://a.old.shop.example/"):
        with pytest.raises(errors.UrlNotAllowed):
            some.admit(url)
    with pytest.raises(errors.UrlNotAllowed):
        rules(deny_hosts=["2606:4700::1"]).admit("http://[2606:4700:0::1]/")


@pytest.mark.parametrize("denied", ["93.184.216.34", "::ffff:93.184.216.34", "[64:ff9b::5db8:d822]"])
@pytest.mark.parametrize(
    "host", ["93.184.216.34", "1572395042", "[::ffff:93.184.216.34]", "[::ffff:5db8:d822]", "[64:ff9b::5db8:d822]"]
)
def test_a_number_on_the_deny_list_is_meant_in_every_form_it_is_written_in(denied: str, host: str) -> None:
    some = rules(deny_hosts=[denied], allow_private=True)
    with pytest.raises(errors.UrlNotAllowed):
        some.admit(f"http://{host}/")
    some.admit("http://[64:ff9b::5db8:d823]/")


def test_an_allow_list_does_not_make_a_private_host_public() -> None:
    with pytest.raises(errors.UrlNotAllowed):
        rules(allow_hosts=["127.0.0.1", "10.0.0.1"]).admit("http://10.0.0.1/")


@pytest.mark.parametrize("pattern", ["*", "shop.*", "http://shop.example", "shop.example/x", "shop.example:80", ""])
def test_a_list_with_what_is_no_host_does_not_start(pattern: str) -> None:
    with pytest.raises(errors.Misconfigured, match=r"fetch\.deny_hosts"):
        rules(deny_hosts=[pattern])
