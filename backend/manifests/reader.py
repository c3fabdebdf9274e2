"""Opens files of products by their form."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Protocol, Self, TypeVar

from backend.domain.importing import FileForm, ImportMode, ImportOptions, Row
from backend.domain.product_facts import shown
from backend.errors import InvalidCsv, InvalidInput, PictureMissing
from backend.manifests.archive import Archive
from backend.manifests.dialect import Products, check_mapping, ignored, table_dialect
from backend.manifests.draft import Draft, row_of
from backend.manifests.feed import items
from backend.manifests.google import Google
from backend.manifests.json_array import elements
from backend.manifests.json_lines import lines
from backend.manifests.json_product import JsonProducts, json_object
from backend.manifests.record import Borrowed, FarIn, Record, Start
from backend.manifests.table import Table
from backend.manifests.template import PICTURES, Template

LOOKED_AT_BYTES = 4_000_000  # as much as a row of a table; a ZIP packs a thousand times as many blank lines

_DELIMITERS = {FileForm.CSV: ",", FileForm.TSV: "\t"}

T = TypeVar("T")
OpenStream = Callable[[], Borrowed]


class Content(Protocol):
    """What a form and a dialect make of a file."""

    @property
    def name(self) -> str:
        """Whose columns these are."""
        ...

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns nothing is read from."""
        ...

    def drafts(self, first: int) -> Iterator[tuple[int, Draft]]:
        """Drafts with their numbers, from `first`."""
        ...


class FileReader:
    """Opens files of products. The port's `ManifestReader`."""

    def __init__(
        self,
        *,
        max_picture_bytes: int,
        default_currency: str,
        max_file_bytes: int = 2_000_000_000,
        max_entries: int = 200_000,
        max_line_bytes: int = 28_000_000,
        max_pictures: int = 16,
    ) -> None:
        """`max_file_bytes`: of a file of products that is unpacked from a ZIP. `max_entries`: of a ZIP, whose directory
        is held in memory, about 0.7 kB each. `max_line_bytes`: of one product as JSON or in a feed, held in memory; a
        picture of 20 MB in base64 fits. `max_pictures`: how many are taken of a product in another system's export.
        """
        self._max_picture_bytes = max_picture_bytes
        self._default_currency = default_currency
        self._max_file_bytes = max_file_bytes
        self._max_entries = max_entries
        self._max_line_bytes = max_line_bytes
        self._max_pictures = max_pictures

    def open(self, source: IO[bytes], merchant: str, options: ImportOptions) -> "FileManifest":
        """Check the file as a whole and open it. One iteration over its rows at a time: they share the source.

        Raises `InvalidArchive`, `UnsafeArchiveName`, `InvalidCsv`, `MissingColumn`, `InvalidMapping`,
        `InvalidJsonLines` or `InvalidFeed`.
        """
        if options.form is not FileForm.ZIP:

            def from_the_start() -> Borrowed:
                source.seek(0)
                return Borrowed(source)

            return FileManifest(
                self._content(from_the_start, options), None, merchant, self._default_currency, options.mode
            )
        archive = Archive(
            source,
            max_entries=self._max_entries,
            max_picture_bytes=self._max_picture_bytes,
            max_file_bytes=self._max_file_bytes,
        )
        try:
            content = self._content(archive.open_manifest, replace(options, form=archive.form))
        except InvalidInput:
            archive.close()
            raise
        return FileManifest(content, archive, merchant, self._default_currency, options.mode)

    def _content(self, open_stream: OpenStream, options: ImportOptions) -> Content:
        match options.form:
            case FileForm.JSON | FileForm.JSON_LINES:
                return self._json(open_stream, options)
            case FileForm.RSS:
                return self._feed(open_stream, options)
            case _:
                return self._table(open_stream, options)

    def _table(self, open_stream: OpenStream, options: ImportOptions) -> Products:
        delimiter = _DELIMITERS[options.form]
        try:
            header = Table(_start(open_stream), delimiter).header
        except FarIn as err:
            raise InvalidCsv(f"the header is not in the first {LOOKED_AT_BYTES} bytes", field="header") from err
        dialect, overlay = table_dialect(header, options)
        left_out = ignored(header, dialect, overlay, options.mode)

        def records() -> Iterator[Record]:
            return Table(open_stream(), delimiter).records(dialect.column)

        return Products(dialect, overlay, left_out, self._max_pictures, records)

    def _feed(self, open_stream: OpenStream, options: ImportOptions) -> Products:
        check_mapping(options.columns, None)
        dialect = Google()
        mapped = {name: dialect.column(column) for name, column in options.columns.items()}
        overlay = Template(mapped) if mapped else None

        def records() -> Iterator[Record]:
            return items(open_stream(), dialect.column, self._max_line_bytes)

        # what the first item has speaks for the rest
        first = _first_of(items(_start(open_stream), dialect.column, self._max_line_bytes))
        left_out = ignored(first.index if first else (), dialect, overlay, options.mode)
        return Products(dialect, overlay, left_out, self._max_pictures, records)

    def _json(self, open_stream: OpenStream, options: ImportOptions) -> JsonProducts:
        check_mapping(options.columns, None)
        read = elements if options.form is FileForm.JSON else lines
        content = JsonProducts(lambda: read(open_stream(), self._max_line_bytes), options.columns)
        first = _first_of(read(_start(open_stream), self._max_line_bytes))  # finds out whether it is an array at all
        if options.mode is ImportMode.PATCH and first is not None and not isinstance(first[1], InvalidInput):
            names = {options.columns.get(name, name) for name in PICTURES}
            content = replace(content, ignored_columns=tuple(sorted(names & set(_keys(first[1])))))
        return content


class FileManifest:
    """An open file of products. The port's `Manifest`."""

    def __init__(
        self, content: Content, archive: Archive | None, merchant: str, default_currency: str, mode: ImportMode
    ) -> None:
        self._content = content
        self._archive = archive
        self._merchant = merchant
        self._default_currency = default_currency
        self._mode = mode

    @property
    def dialect(self) -> str:
        """Whose columns these are: `shelfsight`, `shopify`, `woocommerce` or `google`."""
        return self._content.name

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that are no product's field; of JSON and feeds, those the first product has."""
        return self._content.ignored_columns

    def rows(self, *, first: int = 1) -> Iterator[Row]:
        """Rows from number `first`. Raises `InvalidArchive`, `InvalidJsonLines` or `InvalidFeed` where it breaks."""
        for number, draft in self._content.drafts(first):
            yield row_of(
                number, draft, merchant=self._merchant, default_currency=self._default_currency, mode=self._mode
            )

    def picture(self, name: str) -> bytes:
        """The bytes of an entry beside the manifest. Raises `PictureMissing`, `ImageTooLarge` or `UnreadableImage`."""
        if self._archive is None:
            raise PictureMissing(
                f"{shown(name, 80)!r} is no address and this file is no ZIP: "
                "send addresses (https://...), or a ZIP with the picture beside the file of products",
                field="image",
            )
        return self._archive.picture(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._archive is not None:
            self._archive.close()


def _start(open_stream: OpenStream) -> Start:
    return Start(open_stream(), LOOKED_AT_BYTES)


def _first_of(found: Iterator[T]) -> T | None:
    """The first there is in the start of a file."""
    try:
        return next(found, None)
    except FarIn:
        return None


def _keys(text: bytes) -> tuple[str, ...]:
    try:
        return tuple(json_object(text))
    except InvalidInput:
        return ()
