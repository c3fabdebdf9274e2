"""Files that end early are refused from their structure, at once."""

import pytest
from PIL import Image, ImageFile

from backend import errors
from backend.imaging.decode import decode
from backend.imaging.ending import is_cut_off
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from tests import pictures

LIMITS = PictureLimits()
STILLS = ["jpeg", "jpeg progressive", "png", "png palette", "png 16 bits", "webp", "webp lossless alpha", "gif", "bmp",
          "bmp palette", "tiff", "tiff lzw", "avif"]  # fmt: skip


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", STILLS)
def test_a_file_cut_anywhere_is_truncated_for_the_header_check_and_the_decoder(name: str, share: float) -> None:
    data = pictures.truncated(pictures.one_of_each()[name], share)
    with pytest.raises(errors.TruncatedImage):
        inspect(data, LIMITS)
    with pytest.raises(errors.TruncatedImage):
        decode(data, 64, LIMITS)


@pytest.mark.parametrize("name", pictures.one_of_each())
def test_no_whole_file_counts_as_cut(name: str) -> None:
    data = pictures.one_of_each()[name]
    picture_format = name.split(maxsplit=1)[0].upper()
    assert not is_cut_off(picture_format, data)
    assert not is_cut_off(picture_format, data + b"something behind it")


def test_a_cut_file_is_refused_even_where_another_library_told_pillow_to_fill_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = pictures.encode(pictures.photo(), "GIF")
    first_block = data.rindex(b"\x08\xff") + 1
    between_blocks = data[: first_block + 256 * 10]  # where the structure does not show that more is missing
    assert not is_cut_off("GIF", between_blocks)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for cut in (between_blocks, pictures.truncated_jpeg()):
        with pytest.raises(errors.TruncatedImage):
            decode(cut, 64, LIMITS)


def test_the_thumbnail_inside_exif_does_not_pass_for_the_pictures_end() -> None:
    thumbnail = pictures.jpeg(32, 24)
    assert thumbnail.endswith(b"\xff\xd9")
    data = pictures.jpeg_with(pictures.jpeg(), 0xE1, b"Exif\0\0" + thumbnail)
    assert inspect(data, LIMITS).format == "JPEG"
    with pytest.raises(errors.TruncatedImage):
        inspect(pictures.truncated(data, 0.7), LIMITS)


def test_a_jpeg_without_only_its_last_two_bytes_is_truncated() -> None:
    with pytest.raises(errors.TruncatedImage):
        inspect(pictures.jpeg()[:-2], LIMITS)


def test_a_png_that_lacks_only_its_last_chunk_loses_no_pixel_and_is_read() -> None:
    data = pictures.png(64, 64)
    whole = decode(data, 64, LIMITS)
    assert (decode(data[:-12], 64, LIMITS) == whole).all()


def test_a_phones_file_cut_in_its_second_picture_is_read() -> None:
    data = pictures.mpo(160, 120)
    second = data.index(b"\xff\xd8\xff", 2)
    assert decode(data[: second + 100], 120, LIMITS).shape == (120, 160, 3)


def test_an_animation_cut_after_its_first_frame_is_read() -> None:
    frames = [pictures.photo(64, 48), pictures.photo(64, 48, 1)]
    data = pictures.animated_gif(frames)
    second = data.rindex(b"\x21\xf9\x04")
    assert (decode(data[: second + 20], 48, LIMITS) == decode(data, 48, LIMITS)).all()


def test_a_file_type_without_pixels_at_all_is_cut() -> None:
    for start in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF\xff\0\0\0WEBPVP8 "):
        with pytest.raises(errors.TruncatedImage):
            inspect(start.ljust(12, b"\1"), LIMITS)


def test_the_rows_a_bitmap_promises_must_be_there_whatever_its_size_field_says() -> None:
    data = bytearray(pictures.encode(Image.new("RGB", (40, 40), "red"), "BMP"))
    data[2:6] = bytes(4)
    assert inspect(bytes(data), LIMITS).format == "BMP"
    with pytest.raises(errors.TruncatedImage):
        inspect(bytes(data[:-1]), LIMITS)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_gif_with_extensions_before_its_picture_is_refused_at_once(share: float) -> None:
    data = pictures.encode(pictures.photo(120, 90).quantize(64), "GIF", transparency=0, duration=100)
    descriptor = data.index(b"\x2c" + bytes(4))
    assert data.index(b"\x21\xf9\x04") < descriptor
    assert not is_cut_off("GIF", data)
    assert is_cut_off("GIF", data[: descriptor + int(share * (len(data) - descriptor))])
