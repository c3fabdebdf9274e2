"""JSON lines -> the bytes of each line, which are parsed only when the row is wanted."""

import io
from collections.abc import Iterator

from backend.errors import InvalidJsonLines
from backend.manifests.json_product import Text
from backend.manifests.record import Borrowed

_BOM = b"\xef\xbb\xbf"


def lines(stream: Borrowed, max_bytes: int) -> Iterator[Text]:
    """Lines with their numbers; empty ones are none. One beyond `max_bytes` is passed over without being held."""
    source = io.BufferedReader(stream, 1 << 18)
    number = 0
    while line := source.readline(max_bytes + 2):  # an end of line beside
        number += 1
        if line == b"\n":  # a ZIP packs a million of them in a kilobyte
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line.rstrip(b"\r\n")) > max_bytes:
            while line and not line.endswith(b"\n"):
                line = source.readline(1 << 18)
            yield number, InvalidJsonLines(f"line {number} has more than {max_bytes} bytes")
        elif line.strip():
            yield number, line
