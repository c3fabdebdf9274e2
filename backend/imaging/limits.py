"""What a picture may cost, decided from its header before anything is spent on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Limits on one picture. Each is checked before a pixel is decoded.

    There is no limit on the frames of an animation: only the first is ever decoded, the others are neither counted nor
    sought, so their number costs nothing.
    """

    max_bytes: int = 20_000_000
    """A full-quality JPEG of a 48-megapixel phone is 10 to 15 MB; with 20 MB a request still fits into memory."""

    max_pixels: int = 50_000_000
    """Decoded, a pixel takes up to 4 bytes. At 48 megapixels the peak was 12 MB for a JPEG, about 200 MB for a PNG and
    320 MB at 16 bits: what a worker can spare. Phones stop at 48 to 50 megapixels; imgproxy has the same default.
    Values above 178,956,970 have no effect: Pillow's own guard, left in place as a second line, refuses there."""

    min_side: int = 16
    """On a thumbnail below 16 pixels no product can be told from another; tracking pixels are 1 x 1."""

    max_aspect: float = 20.0
    """Encoders scale the short side to their input size. 30,000 x 1 would become 6,720,000 x 224 pixels, 4.5 GB;
    at 20:1 it is 4,480 x 224. No product picture comes near 20:1."""

    max_profile_bytes: int = 4_000_000
    """A colour profile above this is ignored, not refused. RGB profiles have some kB, press profiles up to 3 MB."""

    max_header_reads: int = 20_000
    """Pillow walks headers in Python, some byte by byte: 20 MB of padding or of empty chunks would hold a thread for
    five seconds. Honest headers take a few hundred reads; 20,000 take about 10 ms. Also the most values one field of a
    TIFF may have, its strips and tiles among them."""

    max_body_reads: int = 500_000
    """The same for the pixels: PNG data cut into tiny chunks. Honest files are read 64 kB at a time; this still admits
    20 MB in chunks of 160 bytes."""
