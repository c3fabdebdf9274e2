"""What is admitted and what is refused from the header alone."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import simplejpeg
from PIL import Image

from backend import errors
from backend.domain.picture import PictureFacts
from backend.imaging.decode import decode
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.ports import PictureReader
from tests import pictures

LIMITS = PictureLimits()
ROOT = Path(__file__).parents[3]


def refusal_of(data: bytes, limits: PictureLimits = LIMITS) -> str:
    with pytest.raises(errors.UnreadableImage) as refused:
        inspect(data, limits)
    return refused.value.code


@pytest.mark.parametrize("name", pictures.one_of_each())
def test_every_admitted_format_is_recognised_by_its_content(name: str) -> None:
    facts = inspect(pictures.one_of_each()[name], LIMITS)
    assert facts.format == name.split(maxsplit=1)[0].upper()
    assert (facts.width, facts.height) in {(120, 90), (60, 45)}


def test_a_phones_multi_picture_file_is_a_jpeg_of_its_first_picture() -> None:
    assert inspect(pictures.mpo(320, 240), LIMITS) == PictureFacts("JPEG", 320, 240)


def test_an_empty_file_has_its_own_code() -> None:
    assert refusal_of(b"") == "image_empty"


def test_one_byte_is_no_picture() -> None:
    assert refusal_of(b"\xff") == "image_undecodable"


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (pictures.eps_bytes, "PostScript"),
        (pictures.pdf_bytes, "PDF"),
        (pictures.svg_bytes, "SVG"),
        (pictures.html_bytes, "HTML"),
        (pictures.mp4_bytes, "video"),
    ],
)
def test_other_formats_are_refused_by_name_whatever_the_file_is_called(make: object, name: str) -> None:
    assert callable(make)
    with pytest.raises(errors.UnsupportedImageType, match=name):
        inspect(make(), LIMITS)


@pytest.mark.parametrize("picture_format", ["ICO", "PPM", "TGA", "JPEG2000", "PCX"])
def test_formats_pillow_could_read_but_no_shop_needs_are_refused(picture_format: str) -> None:
    assert refusal_of(pictures.encode(pictures.photo(64, 64), picture_format)) == "image_unsupported_type"


def test_random_bytes_are_refused_as_no_known_type() -> None:
    assert refusal_of(bytes(range(256)) * 4) == "image_unsupported_type"


def test_random_bytes_behind_a_jpegs_first_bytes_are_refused() -> None:
    assert refusal_of(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4) in {"image_truncated", "image_undecodable"}


def test_no_decoder_but_the_admitted_ones_and_no_xml_parser_is_ever_loaded() -> None:
    files = [pictures.eps_bytes(), pictures.svg_bytes(), b"\xff\xd8\xff" + pictures.eps_bytes()]
    files += pictures.one_of_each().values()
    program = """
import pickle, sys
from backend import errors
from backend.imaging.decode import decode
from backend.imaging.limits import PictureLimits
for data in pickle.load(sys.stdin.buffer):
    try:
        decode(data, 64, PictureLimits())
    except errors.UnreadableImage:
        pass
print(sorted({"PIL.EpsImagePlugin", "PIL.PdfImagePlugin", "xml.parsers.expat"} & set(sys.modules)))
"""
    # A process of its own: in this one, encoding the pictures has loaded every plugin.
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(files), cwd=ROOT, check=True, capture_output=True
    )
    assert done.stdout.strip() == b"[]"


def test_a_decompression_bomb_is_refused_before_any_decoder_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoder(*_: object, **__: object) -> object:
        raise AssertionError("a decoder was made")

    good, bomb = pictures.one_of_each(), pictures.bomb_png()
    monkeypatch.setattr(Image, "_getdecoder", decoder)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", decoder)
    assert len(bomb) < 15_000
    assert refusal_of(bomb) == "image_too_many_pixels"
    for name, data in good.items():
        inspect(data, LIMITS)
        with pytest.raises(errors.UnreadableImage):  # the trap is set: decoding falls into it
            pytest.fail(f"{name} was decoded to {decode(data, 64, LIMITS).shape}")


def test_a_bomb_beyond_pillows_own_guard_has_the_same_code() -> None:
    assert refusal_of(pictures.bomb_png(20_000)) == "image_too_many_pixels"


def test_a_strip_that_an_encoder_would_blow_up_is_refused() -> None:
    assert refusal_of(pictures.strip_png(30_000, 1)) == "image_aspect_ratio"
    assert refusal_of(pictures.strip_png(10_000, 10)) == "image_aspect_ratio"


def test_the_aspect_limit_itself_is_admitted() -> None:
    assert inspect(pictures.strip_png(640, 32), LIMITS).width == 640
    assert refusal_of(pictures.strip_png(641, 32)) == "image_aspect_ratio"


def test_a_picture_too_small_to_show_anything_is_refused() -> None:
    assert inspect(pictures.png(16, 16), LIMITS) == PictureFacts("PNG", 16, 16)
    assert refusal_of(pictures.png(15, 16)) == "image_too_small"
    assert refusal_of(pictures.png(1, 1)) == "image_too_small"


def test_a_file_over_the_byte_limit_is_refused_unread() -> None:
    data = pictures.jpeg()
    assert inspect(data, PictureLimits(max_bytes=len(data))).format == "JPEG"
    assert refusal_of(data, PictureLimits(max_bytes=len(data) - 1)) == "image_too_large"


def test_the_pixel_limit_itself_is_admitted() -> None:
    assert inspect(pictures.png(100, 50), PictureLimits(max_pixels=5000)).width == 100
    assert refusal_of(pictures.png(100, 50), PictureLimits(max_pixels=4999)) == "image_too_many_pixels"


@pytest.mark.parametrize("make", [pictures.padded_jpeg, pictures.many_chunks_png, pictures.tiff_of_many_strips])
def test_a_header_that_would_hold_a_thread_for_seconds_is_refused(make: object) -> None:
    assert callable(make)
    assert refusal_of(make()) == "image_undecodable"


def test_a_text_chunk_that_unpacks_to_80_megabytes_is_refused() -> None:
    assert refusal_of(pictures.text_bomb_png()) == "image_undecodable"


def test_a_tiff_whose_one_tile_is_a_bomb_is_refused() -> None:
    tile_side = (0x10000).to_bytes(4, "little")
    entries = [(256, 64), (257, 64), (258, 8), (259, 5), (262, 1), (277, 1), (322, 0), (323, 0), (324, 8), (325, 8)]
    directory = b"".join(
        tag.to_bytes(2, "little")
        + b"\x04\x00\x01\x00\x00\x00"
        + (tile_side if tag in {322, 323} else value.to_bytes(4, "little"))
        for tag, value in entries
    )
    data = b"II*\0\x08\x00\x00\x00" + len(entries).to_bytes(2, "little") + directory + bytes(4)
    assert refusal_of(data) == "image_too_many_pixels"


def test_junk_before_the_header_is_no_known_type() -> None:
    assert refusal_of(b"\0\n" + pictures.jpeg()) == "image_unsupported_type"
    assert refusal_of(b"\xef\xbb\xbf" + pictures.png()) == "image_unsupported_type"


def test_a_frame_larger_than_its_canvas_is_measured_too() -> None:
    assert refusal_of(pictures.gif_of_giant_first_frame()) == "image_too_many_pixels"


def test_pictures_that_carry_other_files_are_admitted_for_their_pixels() -> None:
    zipped = pictures.jpeg() + b"PK\x03\x04 a ZIP behind a picture"
    scripted = pictures.png_with(pictures.png(), (b"tEXt", b"Comment\0<script>alert(1)</script>"))
    assert inspect(zipped, LIMITS).format == "JPEG"
    assert inspect(scripted, LIMITS).format == "PNG"


def test_the_refusal_names_the_picture_and_the_limit() -> None:
    with pytest.raises(errors.TooManyPixels, match=r"10,000 x 10,000 .* 50,000,000"):
        inspect(pictures.bomb_png(), LIMITS)


def test_the_reader_is_the_port_and_keeps_its_limits() -> None:
    reader: PictureReader = PillowReader(PictureLimits(max_pixels=100 * 100))
    assert reader.inspect(pictures.png(100, 100)).width == 100
    assert reader.decode(pictures.png(100, 100), 50).shape == (100, 100, 3)
    assert reader.thumbnail(pictures.png(100, 100), 50).startswith(b"\xff\xd8")
    too_large = pictures.png(101, 100)
    with pytest.raises(errors.TooManyPixels):
        reader.inspect(too_large)
    with pytest.raises(errors.TooManyPixels):
        reader.decode(too_large, 50)
    with pytest.raises(errors.TooManyPixels):
        reader.thumbnail(too_large, 50)
