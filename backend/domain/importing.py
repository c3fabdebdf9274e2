"""Files of products: how to read one, and what its rows say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.domain.job import JobItem
from backend.domain.product import Product
from backend.domain.work import Change
from backend.errors import ShelfsightError


class FileForm(StrEnum):
    """The forms a file of products can have. `zip`: one of the others, with pictures beside it."""

    CSV = "csv"
    TSV = "tsv"
    JSON_LINES = "jsonl"
    JSON = "json"
    RSS = "rss"
    ZIP = "zip"


class ImportMode(StrEnum):
    """What a row means. `replace`: the whole product, with its pictures. `patch`: new facts of a product that is there;
    what the row does not name stays, pictures too, and no model is called.
    """

    REPLACE = "replace"
    PATCH = "patch"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is to be read. `columns`: a product's field -> the file's name for it (`{"title": "name"}`)."""

    form: FileForm = FileForm.ZIP
    mode: ImportMode = ImportMode.REPLACE
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PictureRef:
    """Where a row's picture is: exactly one of an entry of the ZIP, an address, base64 text, a picture sent before."""

    entry: str | None = None
    url: str | None = None
    data: str | None = None
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One product of a file: the product and its pictures, or (mode patch) the facts to merge, or why it was refused.

    `number` counts products from 1; `line` is where it begins in the file. A row that names no field of a patch at all
    has an empty `patch`, not None.
    """

    number: int
    product_id: str | None
    product: Product | None = None
    pictures: tuple[PictureRef, ...] = ()
    patch: Mapping[str, object] | None = None
    error: ShelfsightError | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ImportClaim:
    """An import with rows still to read, leased to one worker. `attempts` counts this claim since the last row kept."""

    job_id: str
    merchant: str
    source: str
    next_row: int
    lease: str
    options: ImportOptions = ImportOptions()
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class ImportStep:
    """Part of an import, kept in one transaction: the rows understood, the rows refused, and where to go on.

    `next_row` is the first row not read yet; `total` is set with the last step, at the end of the source.
    """

    job_id: str
    lease: str
    changes: tuple[Change, ...]
    refused: tuple[JobItem, ...]
    next_row: int
    total: int | None = None
