"""The port `PictureReader` on Pillow."""

from backend.domain.picture import PictureFacts, Pixels
from backend.imaging.decode import decode
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from backend.imaging.thumbnail import thumbnail


class PillowReader:
    """Reads pictures within one set of limits. Holds no state, so any thread may use it."""

    def __init__(self, limits: PictureLimits) -> None:
        self._limits = limits

    def inspect(self, data: bytes) -> PictureFacts:
        """See `backend.imaging.inspect.inspect`."""
        return inspect(data, self._limits)

    def decode(self, data: bytes, min_side: int) -> Pixels:
        """See `backend.imaging.decode.decode`."""
        return decode(data, min_side, self._limits)

    def thumbnail(self, data: bytes, width: int) -> bytes:
        """See `backend.imaging.thumbnail.thumbnail`."""
        return thumbnail(data, width, self._limits)
