"""Create or replace one product: pictures first, then the one commit that 202 promises, then the bell."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.job import JobKind
from backend.domain.picture import Picture
from backend.domain.product import Product
from backend.domain.work import Accepted, Change, Receipt, Work
from backend.ports import Catalog, Doorbell
from backend.usecases.keep_pictures import KeepPictures, Upload


@dataclass(frozen=True)
class UploadProduct:
    """The upload way."""

    keep_pictures: KeepPictures
    catalog: Catalog
    doorbell: Doorbell

    def __call__(
        self, product: Product, uploads: Sequence[Upload], receipt: Receipt | None = None
    ) -> tuple[Accepted, tuple[Picture, ...]]:
        """What was accepted, and each picture's state. Durable when this returns; searchable a moment later.

        Raises the errors of `KeepPictures`, `RepeatedRequest` and `CatalogUnavailable`; then nothing was changed.
        """
        pictures = self.keep_pictures(uploads)
        [accepted] = self.catalog.accept([Change(product.key, product, pictures)], JobKind.UPLOAD, receipt)
        self.doorbell.ring(Work.FETCH if any(picture.unfetched for picture in pictures) else Work.UPLOADS)
        return accepted, pictures
