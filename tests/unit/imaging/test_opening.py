"""Damaged files of every kind: only our own errors come out, quietly, from any thread."""

import random
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import simplejpeg
from PIL import Image

from backend import errors
from backend.imaging.decode import decode
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from backend.imaging.thumbnail import thumbnail
from tests import pictures

LIMITS = PictureLimits()
DAMAGED_EXIF = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"

CALLS: dict[str, Callable[[bytes], object]] = {
    "inspect": lambda data: inspect(data, LIMITS),
    "decode": lambda data: decode(data, 30, LIMITS),
    "thumbnail": lambda data: thumbnail(data, 40, LIMITS),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A few bytes flipped, put in, left out or cut off; half of the places within the header."""
    bad = bytearray(data)
    for _ in range(chance.choice((1, 2, 8))):
        at = chance.randrange(len(bad) if chance.random() < 0.5 else min(len(bad), 300))
        how = chance.choice(("flip", "flip", "zero", "put in", "leave out", "cut"))
        if how == "flip":
            bad[at] ^= 1 << chance.randrange(8)
        elif how == "zero":
            bad[at] = chance.choice((0, 255))
        elif how == "put in":
            bad[at:at] = chance.randbytes(4)
        elif how == "leave out":
            del bad[at : at + 4]
        else:
            del bad[max(at, len(bad) // 4) :]
        bad = bad or bytearray(b"\0")
    return bytes(bad)


@pytest.mark.parametrize("name", pictures.one_of_each())
def test_nothing_but_our_own_errors_comes_out_of_a_damaged_file(name: str) -> None:
    chance = random.Random(name)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(20):
        data = damaged(pictures.one_of_each()[name], chance)
        for call in CALLS.values():
            try:
                call(data)
                outcomes["read"] += 1
            except errors.UnreadableImage:
                outcomes["refused"] += 1
    assert outcomes["refused"], "no case was damaged enough to test anything"


@pytest.mark.parametrize(
    "raised",
    [ValueError, IndexError, SyntaxError, OverflowError, KeyError, AssertionError, NotImplementedError,
     RecursionError, ZeroDivisionError, UnicodeDecodeError("utf-8", b"", 0, 1, ""), UserWarning],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", CALLS)
def test_whatever_pillow_raises_is_the_pictures_fault(
    name: str, raised: type[Exception] | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(errors.UnreadableImage) as refused:
        CALLS[name](pictures.jpeg(64, 64))
    assert refused.value.code == "image_undecodable"
    assert refused.value.__cause__ is not None


@pytest.mark.parametrize("raised", [MemoryError, OSError("out of memory when reading image file")], ids=str)
@pytest.mark.parametrize("name", ["decode", "thumbnail"])
def test_a_picture_that_needs_too_much_memory_says_so(
    name: str, raised: type[Exception] | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    files = (pictures.jpeg(64, 64), pictures.png(64, 64))
    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", fail)
    for data in files:
        with pytest.raises(errors.DecoderFailed):
            CALLS[name](data)


def test_a_time_limit_that_strikes_inside_pillow_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class SoftTimeLimit(Exception):  # as a task queue raises it: no relation to any built-in error
        pass

    def strike(*_: object, **__: object) -> None:
        raise SoftTimeLimit

    files = (pictures.jpeg(64, 64), pictures.png(64, 64))
    monkeypatch.setattr(Image.Image, "load", strike)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", strike)
    for data in files:
        with pytest.raises(SoftTimeLimit):
            decode(data, 64, LIMITS)


def test_pillows_warnings_neither_escape_nor_become_refusals() -> None:
    data = pictures.encode(pictures.photo(64, 48), "PNG", exif=DAMAGED_EXIF)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert decode(data, 48, LIMITS).shape == (48, 64, 3)
    assert seen == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data, 48, LIMITS).shape == (48, 64, 3)


def test_hushing_pillow_leaves_the_filters_of_others_alone_and_does_not_pile_up() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: inspect(pictures.jpeg(64, 64), LIMITS), range(50)))
        assert [one for one in warnings.filters if one in before] == before
        assert len(warnings.filters) <= len(before) + 1
        with pytest.raises(UserWarning, match="ours"):
            warnings.warn("ours", UserWarning, stacklevel=1)


def test_many_threads_read_good_and_bad_pictures_side_by_side() -> None:
    good = pictures.encode(pictures.photo(200, 150), "PNG", exif=DAMAGED_EXIF)
    bad = pictures.truncated(good)

    def read(turn: int) -> object:
        try:
            return decode(bad if turn % 2 else good, 150, LIMITS).shape
        except errors.TruncatedImage:
            return "truncated"

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(read, range(64)))
    assert results == [(150, 200, 3), "truncated"] * 32


def test_a_png_in_thousands_of_small_pieces_is_read_up_to_its_limit() -> None:
    data = pictures.png(64, 64)
    body_at = data.index(b"IDAT") - 4
    length = int.from_bytes(data[body_at : body_at + 4], "big")
    body = data[body_at + 8 : body_at + 8 + length]
    pieces = [pictures.chunk(b"IDAT", bytes([value])) for value in body]
    cut = data[:body_at] + b"".join(pieces) + data[body_at + 12 + length :]
    assert (decode(cut, 64, LIMITS) == decode(data, 64, LIMITS)).all()
    with pytest.raises(errors.UnreadableImage, match="small pieces"):
        decode(cut, 64, PictureLimits(max_body_reads=len(body)))
