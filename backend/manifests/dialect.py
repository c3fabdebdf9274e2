"""Whose columns a file has, which of them are read, and how the caller's own mapping changes that."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backend.domain.importing import ImportMode, ImportOptions
from backend.domain.product_facts import shown
from backend.errors import FieldError, InvalidMapping, MissingColumn
from backend.manifests.draft import Draft, reason_of
from backend.manifests.google import Google
from backend.manifests.record import ReadRecords, Record
from backend.manifests.shopify import Shopify
from backend.manifests.template import Template, is_field
from backend.manifests.woocommerce import WooCommerce


class Dialect(Protocol):
    """What the columns of one shop system mean."""

    name: str
    id_column: str
    picture_columns: frozenset[str]

    def column(self, name: str) -> str:
        """The name this dialect knows a column of the file by."""
        ...

    def reads(self, column: str) -> bool:
        """Whether anything is read from a column."""
        ...

    def groups(self, read: ReadRecords) -> Iterator[list[Record]]:
        """The records of each product. Each call of `read` reads the file from its start, one reading after another."""
        ...

    def draft(self, group: list[Record]) -> Draft:
        """The product of a group. Raises an `InvalidInput` when it cannot be understood."""
        ...


@dataclass(frozen=True)
class Products:
    """The products of a file of records. `records` reads the file from its start, by the dialect's names."""

    dialect: Dialect
    overlay: Template | None
    ignored_columns: tuple[str, ...]
    max_pictures: int
    records: ReadRecords

    @property
    def name(self) -> str:
        """Whose columns these are."""
        return self.dialect.name

    def drafts(self, first: int) -> Iterator[tuple[int, Draft]]:
        """Drafts with their numbers from `first`; those before it are counted and nothing more."""
        for number, group in enumerate(self.dialect.groups(self.records), start=1):
            if number >= first:
                yield number, self._draft(group)

    def _draft(self, group: list[Record]) -> Draft:
        head = group[0]
        try:
            if head.error is not None:
                raise head.error
            draft = self.dialect.draft(group)
            if not isinstance(self.dialect, Template):
                # an export lists every picture there is; of our template, too many are refused, as a person chose them
                draft = replace(draft, pictures=tuple(dict.fromkeys(draft.pictures))[: self.max_pictures])
            return draft.overlaid(self.overlay.draft(group[:1])) if self.overlay else draft
        except Exception as err:  # noqa: BLE001 - see reason_of
            return Draft(head.line, head.get(self.dialect.id_column) or None, error=reason_of(err))


def table_dialect(header: Sequence[str], options: ImportOptions) -> tuple[Dialect, Template | None]:
    """The dialect of a table by its header, and the caller's own columns over it.

    Raises `InvalidMapping` or `MissingColumn`.
    """
    if "product_id" not in header and (foreign := _foreign(header)) is not None:
        check_mapping(options.columns, header)
        mapped = {name: foreign.column(column) for name, column in options.columns.items()}
        return foreign, Template(mapped) if mapped else None
    check_mapping(options.columns, header)
    template = Template({**{name: name for name in header if is_field(name)}, **options.columns})
    needed = ["product_id"] if options.mode is ImportMode.PATCH else ["product_id", "image"]
    there = {*header, *options.columns}
    missing = [name for name in needed if name not in there and not (name == "image" and "images" in there)]
    if missing:
        one = "; it is one column, and columns are parted by commas" if len(header) == 1 and ";" in header[0] else ""
        raise MissingColumn(
            f"the header lacks: {', '.join(missing)}{one}",
            errors=[FieldError(name, MissingColumn.code, "this column is required") for name in missing],
        )
    return template, None


def ignored(header: Iterable[str], dialect: Dialect, overlay: Template | None, mode: ImportMode) -> tuple[str, ...]:
    """Columns of the file that nothing is read from; in a patch those of pictures are among them."""
    unread = dialect.picture_columns if mode is ImportMode.PATCH else frozenset()
    if overlay is not None and mode is ImportMode.PATCH:
        unread |= overlay.picture_columns

    def is_read(column: str) -> bool:
        return column not in unread and (dialect.reads(column) or (overlay is not None and overlay.reads(column)))

    return tuple(shown(name) for name in header if name and not is_read(dialect.column(name)))


def check_mapping(columns: Mapping[str, str], header: Collection[str] | None) -> None:
    """Raise `InvalidMapping` with every unknown field and every column the file lacks (None: any may be there)."""
    wrong = [FieldError(shown(name), InvalidMapping.code, "no such field") for name in columns if not is_field(name)]
    if header is not None:
        wrong += [
            FieldError(shown(name), InvalidMapping.code, f"the file has no column {shown(column)!r}")
            for name, column in columns.items()
            if column not in header
        ]
    if wrong:
        raise InvalidMapping("; ".join(f"{item.field}: {item.message}" for item in wrong), errors=wrong)


def _foreign(header: Sequence[str]) -> Dialect | None:
    if Shopify.recognises({Shopify.column(name) for name in header}):
        return Shopify()
    if WooCommerce.recognises(columns := {WooCommerce.column(name) for name in header}):
        return WooCommerce(columns)
    return Google() if Google.recognises({Google.column(name) for name in header}) else None
