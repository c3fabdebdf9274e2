"""Files of products in memory, read as the worker reads them."""

import io
import zipfile
from collections.abc import Mapping

from backend.domain.importing import FileForm, ImportMode, ImportOptions, Row
from backend.domain.product import Product
from backend.manifests.reader import FileManifest, FileReader

READER = FileReader(max_picture_bytes=1_000, default_currency="EUR", max_line_bytes=2_000)


def opened(
    form: FileForm,
    data: str | bytes,
    *,
    mode: ImportMode = ImportMode.REPLACE,
    columns: Mapping[str, str] | None = None,
    reader: FileReader = READER,
) -> FileManifest:
    raw = data.encode() if isinstance(data, str) else data
    return reader.open(io.BytesIO(raw), "shop", ImportOptions(form, mode, columns or {}))


def rows(
    form: FileForm,
    data: str | bytes,
    *,
    mode: ImportMode = ImportMode.REPLACE,
    columns: Mapping[str, str] | None = None,
    reader: FileReader = READER,
) -> list[Row]:
    with opened(form, data, mode=mode, columns=columns, reader=reader) as manifest:
        return list(manifest.rows())


def codes(found: list[Row]) -> list[str | None]:
    """Each row's error, None where it was understood."""
    return [row.error.code if row.error else None for row in found]


def product(row: Row) -> Product:
    assert row.error is None, row.error.detail
    assert row.product is not None
    return row.product


def places(row: Row) -> list[str | None]:
    """Where a row's pictures are."""
    return [ref.url or ref.entry or ref.data or ref.image_id for ref in row.pictures]


def zipped(entries: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()
