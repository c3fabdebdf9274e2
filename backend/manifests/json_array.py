"""A JSON array of products -> the bytes of each element, without holding more than one.

The array is cut at the commas between its elements and each is parsed on its own, so an element that is no JSON is one
bad row, as a bad line is, and an element that is too large is passed over. A parser of the whole would stop at either.
"""

import io
import re
from collections.abc import Iterator

from backend.errors import InvalidJsonLines
from backend.manifests.json_product import Text
from backend.manifests.record import Borrowed

_CHUNK_BYTES = 1 << 16
_MAX_BRACKETS = 1_000_000  # of one element; each takes a microsecond, and the first element is read within a request
_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*(\{\s*"products"\s*:\s*)?\[')
# Unrolled: what was read is not read again, so the time grows with the length. A string that the chunk cuts off is not
# taken whole; it is entered (_IN_STRING goes on in the next chunk).
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_INSIDE = re.compile(rb'[^"{}\[\]]*(?:' + _STRING + rb'[^"{}\[\]]*)*', re.DOTALL)
_BETWEEN = re.compile(rb'[^"{}\[\],]*(?:' + _STRING + rb'[^"{}\[\],]*)*', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)


def elements(stream: Borrowed, max_bytes: int, *, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[Text]:
    """Elements with their numbers. Raises `InvalidJsonLines` when the file is no array of products, or breaks off."""
    source = io.BufferedReader(stream, chunk_bytes)
    chunk = source.read(chunk_bytes)
    start = _START.match(chunk)
    if start is None:
        raise InvalidJsonLines('a JSON file is an array of products, or {"products": [...]}, in UTF-8')
    cutter = _Cutter(max_bytes)
    chunk = chunk[start.end() :]
    number = 0
    while chunk:
        for element in cutter.cut(chunk):
            number += 1
            too_large = InvalidJsonLines(f"element {number} has more than {max_bytes} bytes")
            yield number, too_large if element is None else element
        if cutter.rest is not None:
            _check_end(cutter.rest + source.read(chunk_bytes), wrapped=start[1] is not None)
            return
        chunk = source.read(chunk_bytes)
    raise InvalidJsonLines(f"the array breaks off after element {number}")


def _check_end(rest: bytes, *, wrapped: bool) -> None:
    if rest.split() != ([b"}"] if wrapped else []):
        raise InvalidJsonLines("after the products nothing else is expected")


class _Cutter:
    """Follows strings and brackets through chunks. `rest`: what comes after the array's end, once it was seen."""

    def __init__(self, max_bytes: int) -> None:
        self.rest: bytes | None = None
        self._max_bytes = max_bytes
        self._element = bytearray()
        self._seen = 0
        self._depth = 0
        self._brackets = 0
        self._in_string = False
        self._escaped = False
        self._first = True

    def cut(self, chunk: bytes) -> Iterator[bytes | None]:
        """The elements that end in this chunk; None for one that was too large."""
        begin = at = 0
        while at < len(chunk) and self.rest is None:
            at = self._next_mark(chunk, at)
            if at == len(chunk):
                break
            mark = chunk[at : at + 1]
            if self._depth == 0 and mark in b",]":
                self._keep(chunk[begin:at])
                yield from self._end_of_element(last=mark == b"]")
                begin = at + 1
                if mark == b"]":
                    self.rest = chunk[begin:]
            else:
                self._follow(mark)
            at += 1
        if self.rest is None:
            self._keep(chunk[begin:])

    def _follow(self, bracket: bytes) -> None:
        self._brackets += 1
        if self._brackets > _MAX_BRACKETS:
            raise InvalidJsonLines(f"an element has more than {_MAX_BRACKETS} brackets")
        self._depth = self._depth + 1 if bracket in b"{[" else max(self._depth - 1, 0)

    def _next_mark(self, chunk: bytes, at: int) -> int:
        """The place of the next bracket (or comma between elements) outside strings, or the chunk's end."""
        while at < len(chunk):
            if self._in_string:
                at = self._end_of_string(chunk, at)
                continue
            at = (_INSIDE if self._depth else _BETWEEN).match(chunk, at).end()  # type: ignore[union-attr] # matches nothing too
            if chunk[at : at + 1] != b'"':
                return at
            self._in_string = True  # it goes on in the next chunk
            at += 1
        return at

    def _end_of_string(self, chunk: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            at += 1
        at = _IN_STRING.match(chunk, at).end()  # type: ignore[union-attr] # matches nothing too
        self._in_string = chunk[at : at + 1] != b'"'
        self._escaped = self._in_string and at < len(chunk)  # a backslash is the chunk's last byte
        return at + (at < len(chunk))

    def _keep(self, part: bytes) -> None:
        self._seen += len(part)
        if self._seen <= self._max_bytes:
            self._element += part
        else:
            self._element.clear()

    def _end_of_element(self, *, last: bool) -> Iterator[bytes | None]:
        element = None if self._seen > self._max_bytes else bytes(self._element)
        empty_array = last and self._first and element is not None and not element.strip()
        self._element.clear()
        self._seen, self._brackets, self._first = 0, 0, False
        if not empty_array:
            yield element
