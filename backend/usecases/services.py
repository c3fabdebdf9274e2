"""The use cases, built: what a door is given."""

from collections.abc import Callable
from dataclasses import dataclass

from backend.usecases.delete_product import DeleteProduct
from backend.usecases.import_products import ImportProducts, OpenImport
from backend.usecases.patch_product import PatchProduct
from backend.usecases.read_job import ReadJob
from backend.usecases.read_product import ReadImage, ReadProduct
from backend.usecases.read_status import ReadStatus
from backend.usecases.reconcile_products import ReconcileProducts
from backend.usecases.search_products import SearchProducts
from backend.usecases.sweep import Sweep
from backend.usecases.upload_product import UploadProduct


@dataclass(frozen=True)
class Services:
    """One field per verb. `close` flushes and lets go of everything behind them."""

    upload_product: UploadProduct
    patch_product: PatchProduct
    delete_product: DeleteProduct
    read_product: ReadProduct
    read_image: ReadImage
    open_import: OpenImport
    import_products: ImportProducts
    reconcile_products: ReconcileProducts
    search_products: SearchProducts
    read_job: ReadJob
    read_status: ReadStatus
    sweep: Sweep
    close: Callable[[], None]
