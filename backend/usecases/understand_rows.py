"""Rows of a file of products -> changes and refusals, each row on its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.base64_text import picture_bytes
from backend.domain.importing import PictureRef, Row
from backend.domain.job import ItemState, JobItem
from backend.domain.product import Product, ProductKey
from backend.domain.product_facts import patched
from backend.domain.work import Change
from backend.errors import InvalidInput, NotFound, ProductNotFound, ShelfsightError
from backend.ports import Catalog, Manifest, Puts
from backend.usecases.keep_pictures import KeepPictures, Upload
from backend.usecases.read_product import ReadImage

Versions = dict[ProductKey, tuple[Product, int]]
"""Products as the rows of a step leave them, and the version each then has."""


@dataclass(frozen=True)
class UnderstandRows:
    """Rows -> changes and refusals. Stores the pictures that came along; addresses are fetched later."""

    catalog: Catalog
    keep_pictures: KeepPictures
    read_image: ReadImage
    max_picture_bytes: int
    default_currency: str

    def __call__(self, merchant: str, manifest: Manifest, rows: Sequence[Row]) -> tuple[list[Change], list[JobItem]]:
        """Each row on its own: a bad one is an item of the ledger, never the end of the import."""
        known = self._known(merchant, rows)
        changes: list[Change] = []
        refused: list[JobItem] = []
        with self.keep_pictures.together() as puts:
            for row in rows:
                try:
                    changes.append(self._change(merchant, manifest, row, known, puts))
                except (InvalidInput, NotFound) as err:
                    refused.append(refusal(row, err))
        return changes, refused

    def _known(self, merchant: str, rows: Sequence[Row]) -> Versions:
        keys = [ProductKey(merchant, row.product_id) for row in rows if row.patch is not None and row.product_id]
        records = self.catalog.products(keys) if keys else []
        return {it.product.key: (it.product, it.version) for it in records if not it.deleted}

    def _change(self, merchant: str, manifest: Manifest, row: Row, known: Versions, puts: Puts) -> Change:
        if row.error is not None:
            raise row.error
        if row.patch is not None and row.product_id is not None:
            return self._patch(ProductKey(merchant, row.product_id), row, known)
        if row.product is None:
            raise InvalidInput("the row names no product")
        uploads = [self._upload(merchant, manifest, ref, n) for n, ref in enumerate(row.pictures)]
        return Change(row.product.key, row.product, self.keep_pictures(uploads, puts), row=row.number, line=row.line)

    def _patch(self, key: ProductKey, row: Row, known: Versions) -> Change:
        if key not in known or row.patch is None:
            raise ProductNotFound(
                f"{key.product_id} is not there: a patch changes products that are", field="product_id"
            )
        product, version = known[key]
        product = patched(product, row.patch, default_currency=self.default_currency)
        known[key] = product, version + 1  # a later row of the same product builds on this one
        return Change(key, product, row=row.number, expected_version=version, line=row.line)

    def _upload(self, merchant: str, manifest: Manifest, ref: PictureRef, number: int) -> Upload:
        field_name = f"images[{number}]"
        if ref.url is not None:
            return Upload(ref.url, url=ref.url)
        if (image_id := ref.image_id) is not None:
            self.read_image.check(merchant, image_id)
            return Upload(image_id, lambda: self.read_image.original(merchant, image_id))
        if (text := ref.data) is not None:
            data = picture_bytes(text, field_name, max_bytes=self.max_picture_bytes)
            return Upload(field_name, lambda: data)
        entry = ref.entry or ""
        return Upload(entry, lambda: manifest.picture(entry))


def refusal(row: Row, err: ShelfsightError) -> JobItem:
    """The ledger's entry of a row that is not taken."""
    name = err.errors[0].field if err.errors else None
    return JobItem(
        row.number, row.product_id, ItemState.FAILED, field=name, code=err.code, detail=err.detail, line=row.line
    )
