"""The use cases, built: what a door is given."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from backend.usecases.admit import Admit
from backend.usecases.await_product import AwaitProduct
from backend.usecases.change_job import CancelJob, RetryJob
from backend.usecases.check_index import CheckIndex
from backend.usecases.delete_product import DeleteProduct
from backend.usecases.fetch_pictures import FetchPictures
from backend.usecases.import_products import ImportProducts
from backend.usecases.keep_receipts import KeepReceipts
from backend.usecases.open_import import OpenImport
from backend.usecases.patch_product import PatchProduct
from backend.usecases.purge import Purge
from backend.usecases.read_index import ReadIndex
from backend.usecases.read_job import ReadJob
from backend.usecases.read_product import ReadImage, ReadProduct
from backend.usecases.read_status import ReadStatus
from backend.usecases.reconcile_products import ReconcileProducts
from backend.usecases.search_products import SearchProducts
from backend.usecases.snapshot_index import SnapshotIndex
from backend.usecases.sweep import Sweep
from backend.usecases.upload_product import UploadProduct
from backend.usecases.watch_job import WatchJob


@dataclass
class Services:
    """One field per verb. `close` flushes and lets go of everything behind them; `hand_back` gives back the products
    that are being worked on, for a process that cannot wait for their end.

    Look a verb up when it is called: when another index comes to serve, its verbs take the place of the former ones.
    """

    admit: Admit
    receipts: KeepReceipts
    upload_product: UploadProduct
    patch_product: PatchProduct
    delete_product: DeleteProduct
    read_product: ReadProduct
    await_product: AwaitProduct
    read_image: ReadImage
    open_import: OpenImport
    import_products: ImportProducts
    fetch_pictures: FetchPictures
    reconcile_products: ReconcileProducts
    search_products: SearchProducts
    read_job: ReadJob
    watch_job: WatchJob
    retry_job: RetryJob
    cancel_job: CancelJob
    read_status: ReadStatus
    read_index: ReadIndex
    snapshot_index: SnapshotIndex
    check_index: CheckIndex
    sweep: Sweep
    purge: Purge
    hand_back: Callable[[], None]
    close: Callable[[], None]

    def become(self, others: "Services") -> list[object]:
        """Take over those of other verbs that stand on something else, one by one: each is whole in itself. The former
        verbs; some calls may still be in them.
        """
        former: list[object] = []
        for field in fields(self):
            verb, other = getattr(self, field.name), getattr(others, field.name)
            if verb != other:
                former.append(verb)
                setattr(self, field.name, other)
        return former
