"""HEIC, the photos of iPhones, where the optional package pillow-heif is installed."""

from functools import cache


@cache
def heif_is_readable() -> bool:
    """Whether HEIC can be read here; from then on Pillow knows the format.

    Imported on the first such file only: its libraries cost 50 ms and, in most installations, are not there.
    """
    try:
        import pillow_heif  # noqa: PLC0415 -- see above
    except ImportError:
        return False
    # The picture itself and nothing beside it: an embedded thumbnail may show something else. One thread, because
    # pictures are decoded side by side already.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True
