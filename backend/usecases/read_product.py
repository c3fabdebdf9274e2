"""Show a product, or one of its pictures, to its own merchant."""

from dataclasses import dataclass

from backend.domain.product import ProductKey, ProductRecord
from backend.errors import ImageNotFound, ProductNotFound
from backend.ports import BlobStore, Catalog, PictureReader


def live_product(catalog: Catalog, key: ProductKey, *, field: str | None = None) -> ProductRecord:
    """The product's row. Raises `ProductNotFound` (naming the caller's `field`) when there is none or it is deleted."""
    record = catalog.product(key)
    if record is None or record.deleted:
        raise ProductNotFound(field=field)
    return record


@dataclass(frozen=True)
class ReadProduct:
    """The product's row as it is now."""

    catalog: Catalog

    def __call__(self, key: ProductKey) -> ProductRecord:
        """Raises `ProductNotFound`."""
        return live_product(self.catalog, key)


@dataclass(frozen=True)
class ReadImage:
    """A picture of one of the merchant's live products; another merchant's picture is not there."""

    catalog: Catalog
    blobs: BlobStore
    reader: PictureReader

    def thumbnail(self, merchant: str, image_id: str, width: int) -> bytes:
        """JPEG bytes in a size for a page. Raises `ImageNotFound`."""
        return self.reader.thumbnail(self.original(merchant, image_id), width)

    def original(self, merchant: str, image_id: str) -> bytes:
        """The bytes as uploaded: for use inside, never to be served, for they may be more than a picture."""
        self.check(merchant, image_id)
        return self.blobs.get(image_id)

    def check(self, merchant: str, image_id: str) -> None:
        """Raise `ImageNotFound` unless the merchant may see the picture."""
        if not self.catalog.owns_image(merchant, image_id):
            raise ImageNotFound
