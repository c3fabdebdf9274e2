"""The first directory of a TIFF, read without its values: how much work and memory the file asks for.

TIFF is the one admitted format whose header can list millions of values, which Pillow turns into Python objects before
any of its own checks: a 4 MB file with a million strips took 3.5 s and 200 MB to open. Source: TIFF 6.0, section 2.
"""

import struct
from dataclasses import dataclass
from typing import Final

from backend import errors

_SIZE_OF_TYPE: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Those Pillow reads: IFD (13, TIFF Technical Note 1) and LONG8 (16, BigTIFF) among them. It passes over any other."""

_BYTE_TYPES: Final = {1, 2, 7}
"""BYTE, ASCII and UNDEFINED stay one `bytes` object however long they are, unless it is gone through number by number:
a strip or a tile for each."""

_SHORT, _LONG, _LONG8 = 3, 4, 16
_CODES: Final = {_SHORT: "H", _LONG8: "Q"}
_STRIP_OFFSETS, _STRIP_SIZES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 273, 279, 322, 323, 324, 325
_PIECES: Final = {_STRIP_OFFSETS, _STRIP_SIZES, _TILE_OFFSETS, _TILE_SIZES}


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: its type, how many values, and where the values lie in the file."""

    kind: int
    count: int
    at: int


class TiffDirectory:
    """The fields of the first picture of a TIFF. Raises IndexError or struct.error where the file ends too early.

    Of a field that comes twice the first counts whose type is known, as with Pillow.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        start = self._number("I", 4)
        self._entries: dict[int, Entry] = {}
        for index in range(self._number("H", start)):
            field_at = start + 2 + 12 * index
            tag, kind, count = struct.unpack_from(f"{self._order}HHI", data, field_at)
            size = count * _SIZE_OF_TYPE.get(kind, 0)
            at = field_at + 8 if size <= 4 else self._number("I", field_at + 8)  # noqa: PLR2004 -- TIFF 6.0: values of up to 4 bytes stand in the field itself
            if kind in _SIZE_OF_TYPE:
                self._entries.setdefault(tag, Entry(kind, count, at))

    def check(self, max_values: int, max_pixels: int) -> None:
        """Refuse (`errors.UnreadableImage`, `errors.TooManyPixels`) what would be costly to open.

        `max_values` bounds every list of numbers, the strips and tiles among them; `max_pixels` bounds one tile,
        because a tile is decoded whole even where the picture is smaller.
        """
        for tag, entry in self._entries.items():
            if (entry.kind not in _BYTE_TYPES or tag in _PIECES) and entry.count > max_values:
                raise errors.UnreadableImage(f"The TIFF field {tag} has {entry.count:,} values (limit {max_values:,}).")
        tile = self._first(_TILE_WIDTH) * self._first(_TILE_HEIGHT)
        if tile > max_pixels:
            raise errors.TooManyPixels(f"One tile of the TIFF has {tile:,} pixels (limit {max_pixels:,}).")

    def end_of_pixels(self) -> int:
        """Where in the file the last strip or tile ends; 0 where the directory does not say."""
        ends = [0]
        for offsets, sizes in ((_STRIP_OFFSETS, _STRIP_SIZES), (_TILE_OFFSETS, _TILE_SIZES)):
            starts, lengths = self._values(offsets), self._values(sizes)
            ends += starts
            ends += [start + length for start, length in zip(starts, lengths, strict=False)]
        return max(ends)

    def _values(self, tag: int) -> list[int]:
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in {_SHORT, _LONG}:
            return []
        code = "H" if entry.kind == _SHORT else "I"
        return list(struct.unpack_from(f"{self._order}{entry.count}{code}", self._data, entry.at))

    def _first(self, tag: int) -> int:
        entry = self._entries.get(tag)
        return self._number(_CODES.get(entry.kind, "I"), entry.at) if entry and entry.count else 0

    def _number(self, code: str, at: int) -> int:
        return int(struct.unpack_from(self._order + code, self._data, at)[0])
