"""Create or replace one product: pictures first, then the one commit that 202 promises, then the bell."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.job import JobKind
from backend.domain.picture import Picture
from backend.domain.product import Product
from backend.ports import Accepted, Catalog, Change, Doorbell
from backend.usecases.keep_pictures import KeepPictures, Upload


@dataclass(frozen=True)
class UploadProduct:
    """The upload way."""

    keep_pictures: KeepPictures
    catalog: Catalog
    doorbell: Doorbell

    def __call__(self, product: Product, uploads: Sequence[Upload]) -> tuple[Accepted, tuple[Picture, ...]]:
        """What was accepted, and each picture's state. Durable when this returns; searchable a moment later.

        Raises the errors of `KeepPictures`, and `CatalogUnavailable`; then nothing was changed.
        """
        pictures = self.keep_pictures(uploads)
        [accepted] = self.catalog.accept([Change(product.key, product, pictures)], JobKind.UPLOAD)
        self.doorbell.ring_products()
        return accepted, pictures
