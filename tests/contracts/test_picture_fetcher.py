"""What every `PictureFetcher` promises, on the fake and on the real one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from backend import errors
from backend.fetching.http_fetcher import HttpPictureFetcher
from backend.ports import PictureFetcher
from tests.fakes.picture_fetcher import FakePictureFetcher
from tests.hosts import Host, lying, picture, status
from tests.internet import PUBLIC, Internet

CUP = b"a picture of a cup"
LAMP = b"a picture of a lamp"
BASE = "http://pictures.example"
REFUSED = ["ftp://pictures.example/x", "file:///etc/passwd", "data:,x", "http://user@pictures.example/", "cup.jpg", ""]
PRIVATE = [
    "http://127.0.0.1/",
    "http://10.0.0.1/x.jpg",
    "http://169.254.169.254/",
    "http://[::1]/",
    "http://localhost/",
]


@dataclass
class World:
    """A fetcher, and the picture at `BASE`/changing, which the test may replace."""

    fetcher: PictureFetcher
    host: Host | None = None
    fake: FakePictureFetcher | None = None

    def replace(self, data: bytes) -> None:
        if self.fake is not None:
            self.fake.answers[f"{BASE}/changing"] = data
        if self.host is not None:
            self.host.behaviours["/changing"] = picture(data, etag=f'"{data.hex()}"', last_modified=f"{data.hex()} GMT")


@pytest.fixture(params=["fake", "http"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakePictureFetcher(
            {
                f"{BASE}/gone": errors.UrlRefused("the host answered with status 410"),
                f"{BASE}/down": errors.UrlBroken("the host answered with status 503"),
                f"{BASE}/cut": errors.UrlBroken(),
                f"{BASE}/huge": bytes(2_000),
                "http://nowhere.example/": errors.UrlUnreachable(),
            },
            max_bytes=1_000,
        )
        yield World(fake, fake=fake)
        return
    behaviours = {
        "/gone": status(410),
        "/down": status(503),
        "/cut": lying(b"half", 8),
        "/huge": picture(bytes(2_000)),
    }
    with Host(behaviours) as host:
        internet = Internet({"pictures.example": [[PUBLIC]]}, {PUBLIC: host.port})
        fetcher = HttpPictureFetcher(
            max_bytes=1_000,
            seconds=10,
            max_redirects=3,
            per_host=4,
            ports=[80, 443],
            resolve=internet.resolve,
            connect=internet.connect,
        )
        with closing(fetcher):
            yield World(fetcher, host=host)


class TestPictureFetcher:
    def test_a_picture_comes_as_it_is(self, world: World) -> None:
        world.replace(CUP)
        assert world.fetcher.fetch(f"{BASE}/changing").data == CUP

    def test_a_picture_that_did_not_change_is_not_sent_again(self, world: World) -> None:
        world.replace(CUP)
        before = world.fetcher.fetch(f"{BASE}/changing")
        assert before.etag
        assert before.last_modified
        for known in ({"etag": before.etag, "last_modified": before.last_modified}, {"etag": before.etag}):
            again = world.fetcher.fetch(f"{BASE}/changing", **known)
            assert (again.data, again.etag) == (None, before.etag)
        assert world.fetcher.fetch(f"{BASE}/changing", last_modified=before.last_modified).data is None

    def test_a_picture_that_changed_is_sent_with_new_validators(self, world: World) -> None:
        world.replace(CUP)
        before = world.fetcher.fetch(f"{BASE}/changing")
        world.replace(LAMP)
        after = world.fetcher.fetch(f"{BASE}/changing", etag=before.etag, last_modified=before.last_modified)
        assert after.data == LAMP
        assert after.etag != before.etag

    @pytest.mark.parametrize("url", REFUSED)
    def test_what_is_no_address_of_a_picture_is_refused_before_and_at_the_fetch(self, world: World, url: str) -> None:
        with pytest.raises(errors.UrlInvalid):
            world.fetcher.check(url)
        with pytest.raises(errors.UrlInvalid):
            world.fetcher.fetch(url)

    @pytest.mark.parametrize("url", PRIVATE)
    def test_what_is_not_public_is_refused_before_and_at_the_fetch(self, world: World, url: str) -> None:
        with pytest.raises(errors.UrlNotAllowed):
            world.fetcher.check(url)
        with pytest.raises(errors.UrlNotAllowed):
            world.fetcher.fetch(url)

    def test_an_address_that_may_have_a_picture_passes_the_check(self, world: World) -> None:
        world.fetcher.check(f"{BASE}/changing")
        world.fetcher.check("https://pictures.example/cup.jpg?size=large#top")

    @pytest.mark.parametrize("path", ["/gone", "/never-was"])
    def test_a_picture_that_is_not_there_is_not_worth_another_try(self, world: World, path: str) -> None:
        with pytest.raises(errors.UrlRefused) as caught:
            world.fetcher.fetch(BASE + path)
        assert not caught.value.transient
        assert "4" in caught.value.detail

    @pytest.mark.parametrize("path", ["/down", "/cut"])
    def test_a_host_that_fails_is_worth_another_try(self, world: World, path: str) -> None:
        with pytest.raises(errors.UrlBroken) as caught:
            world.fetcher.fetch(BASE + path)
        assert caught.value.transient

    def test_a_host_that_is_not_there_is_worth_another_try(self, world: World) -> None:
        with pytest.raises(errors.UrlUnreachable) as caught:
            world.fetcher.fetch("http://nowhere.example/")
        assert caught.value.transient

    def test_a_picture_with_too_many_bytes_is_refused(self, world: World) -> None:
        with pytest.raises(errors.ImageTooLarge):
            world.fetcher.fetch(f"{BASE}/huge")
