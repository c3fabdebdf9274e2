"""RSS 2.0 -> records, item by item, with the parser Python has. A document type is refused, so no entity can grow."""

import io
from collections.abc import Callable, Iterator, Mapping
from xml.parsers import expat

from backend.errors import InvalidFeed
from backend.manifests.record import Borrowed, Record

GOOGLE = "http://base.google.com/ns/1.0"

_CHUNK = 1 << 16
_SEVERAL = "additional_image_link"
_MAX_DEPTH = 64  # the parser remembers every open element
_FIELD_COST = 100  # bytes an element takes in memory beside its text


def items(stream: Borrowed, column: Callable[[str], str], max_bytes: int) -> Iterator[Record]:
    """The items with their numbers; one beyond `max_bytes` is a record with an error.

    Raises `InvalidFeed` when the file is no feed, or is broken.
    """
    source = io.BufferedReader(stream, _CHUNK)
    reader = _Items(column, max_bytes)
    fed = 0
    while True:
        chunk = source.read(_CHUNK)
        fed += len(chunk)
        broken: InvalidFeed | None = None
        try:
            reader.parser.Parse(chunk, not chunk)
        except InvalidFeed as err:
            broken = err
        except (expat.ExpatError, LookupError, ValueError) as err:  # the latter two: an encoding that is none
            broken = InvalidFeed(f"the feed is not XML: {err}")
        yield from reader.taken()
        if broken is not None:
            raise broken
        if not chunk:
            return
        # expat holds a tag until it has all of it
        if fed - reader.parser.CurrentByteIndex > max_bytes + _CHUNK:
            raise InvalidFeed(f"a tag of more than {max_bytes} bytes")


class _Items:
    """Collects what the parser calls back with."""

    def __init__(self, column: Callable[[str], str], max_bytes: int) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._column = column
        self._max_bytes = max_bytes
        self._number = 0
        self._depth = 0
        self._item_depth = 0  # 0: outside items
        self._fields: dict[str, str] = {}
        self._several: list[str] = []
        self._name: str | None = None
        self._parts: list[str] = []
        self._size = 0
        self._done: list[Record] = []

    def taken(self) -> list[Record]:
        """The items completed since the last call."""
        done, self._done = self._done, []
        return done

    def _refuse(self, *_: object) -> None:
        raise InvalidFeed("the feed has a document type, which is not accepted")

    def _start(self, name: str, _: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InvalidFeed(f"more than {_MAX_DEPTH} elements inside one another")
        if self._depth == 1 and name != "rss":
            raise InvalidFeed("the feed's first element is not <rss>")
        if self._item_depth == 0:
            if name == "item":
                self._number += 1
                self._item_depth = self._depth
                self._fields, self._several, self._name, self._parts, self._size = {}, [], None, [], 0
        elif self._depth == self._item_depth + 1:
            self._name, self._parts = self._known(name), []
            self._size += len(name) + _FIELD_COST

    def _text(self, text: str) -> None:
        if self._name is not None and self._depth == self._item_depth + 1:
            self._size += len(text)
            if self._size <= self._max_bytes:
                self._parts.append(text)

    def _end(self, _: str) -> None:
        if self._item_depth:
            if self._depth == self._item_depth + 1 and self._name is not None:
                self._keep(self._name, "".join(self._parts).strip())
                self._name = None
            elif self._depth == self._item_depth:
                self._item_depth = 0
                self._done.append(self._record())
        self._depth -= 1

    def _keep(self, name: str, value: str) -> None:
        """The first of a name counts; of the pictures all do."""
        if self._size > self._max_bytes:
            self._fields.clear()
            self._several.clear()
        elif name == _SEVERAL:
            self._several.append(value)
        elif not self._fields.get(name):
            self._fields[name] = value

    def _known(self, name: str) -> str | None:
        """An element's own name in RSS or Google's namespace; elements of other namespaces are nobody's."""
        namespace, _, local = name.rpartition(" ")
        return self._column(local) if namespace in ("", GOOGLE) else None

    def _record(self) -> Record:
        if self._size > self._max_bytes:
            return Record(self._number, error=InvalidFeed(f"item {self._number} has more than {self._max_bytes} bytes"))
        if self._several:
            self._fields[_SEVERAL] = " ".join(self._several)  # once: joined one by one, each would copy all before it
        return Record(self._number, tuple(self._fields.values()), {name: at for at, name in enumerate(self._fields)})
