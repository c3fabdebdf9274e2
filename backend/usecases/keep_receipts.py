"""The same request under the same key is answered the same for a day, and done once."""

from dataclasses import dataclass

from backend.domain.work import KeptReceipt, Receipt
from backend.errors import ReusedKey
from backend.ports import Receipts


@dataclass(frozen=True)
class KeepReceipts:
    """Receipts of requests with an `Idempotency-Key`."""

    receipts: Receipts

    def find(self, receipt: Receipt) -> KeptReceipt | None:
        """What was kept for this very request; None when there is nothing. Raises `ReusedKey` for another request."""
        kept = self.receipts.receipt(receipt.merchant, receipt.key)
        if kept is not None and kept.receipt.fingerprint != receipt.fingerprint:
            raise ReusedKey(field="Idempotency-Key")
        return kept

    def keep(self, receipt: Receipt, status: int, answer: str) -> None:
        """Note what was answered."""
        self.receipts.keep_answer(receipt, status, answer)
