"""The file of one import, open where it is to go on, its lease held however long that takes."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Self, cast

from backend.domain.importing import ImportClaim, Row
from backend.errors import InvalidInput, TooManyRows
from backend.ports import ImportFiles, Jobs, ManifestReader

LETTERS_PER_STEP = 64_000_000
"""Base64 of pictures held at once; the rest of a row is small by the rules of products. 64 rows of 28 MB would be
1.8 GB, and a step of one row each would cost ordinary files a commit a row.
"""


@dataclass(frozen=True, slots=True)
class Some:
    """Rows that were read together. `ended`: there are no more. `broken`: why there may be more, but unreadable."""

    rows: list[Row]
    ended: bool = False
    broken: InvalidInput | None = None


@dataclass
class Lease:
    """The right to read an import, to be renewed by whoever takes long: a third of it may pass between two renewals."""

    jobs: Jobs
    claim: ImportClaim
    seconds: float
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._renew_at = self.monotonic() + self.seconds / 3

    def hold(self) -> None:
        """Raises `Conflict` when it was lost."""
        if self.monotonic() >= self._renew_at:
            self.jobs.renew_import(self.claim, self.seconds)
            self._renew_at = self.monotonic() + self.seconds / 3


class ReadRows:
    """Reads on in one import. Used in a `with` statement, by one thread at a time."""

    def __init__(self, files: ImportFiles, manifests: ManifestReader, lease: Lease, *, max_rows: int) -> None:
        """Opens the file. Raises `ImportFileMissing`, and what the manifest's form says of the file as a whole."""
        claim = lease.claim
        self.next_row = claim.next_row
        self._lease = lease
        self._max_rows = max_rows
        with ExitStack() as opened:
            source = opened.enter_context(files.open(claim.source))
            held = cast("IO[bytes]", _Held(source, self._hold))
            self.manifest = opened.enter_context(manifests.open(held, claim.merchant, claim.options))
            self._rows = self.manifest.rows(first=claim.next_row)
            self._opened = opened.pop_all()

    def goes_on(self, lease: Lease) -> bool:
        """Take a new lease of the same import, unless another one has read on in it meanwhile."""
        if (lease.claim.job_id, lease.claim.next_row) != (self._lease.claim.job_id, self.next_row):
            return False
        self._lease = lease
        return True

    def some(self, most: int) -> Some:
        """Up to `most` rows: fewer where pictures come as text, or where the file ends or breaks off."""
        rows: list[Row] = []
        letters = 0
        try:
            while len(rows) < most and letters < LETTERS_PER_STEP:
                row = next(self._rows, None)
                if row is None:
                    return Some(rows, ended=True)
                if row.number > self._max_rows:
                    raise TooManyRows(f"more than {self._max_rows} rows")
                rows.append(row)
                letters += sum(len(ref.data) for ref in row.pictures if ref.data)
        except InvalidInput as err:  # what could be read before is as good as in any other file
            return Some(rows, broken=err)
        return Some(rows)

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()

    def _hold(self) -> None:
        self._lease.hold()  # the lease of this turn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Held:
    """The file as its reader sees it: each read holds the lease, also those that only skip what was kept before."""

    def __init__(self, source: IO[bytes], hold: Callable[[], None]) -> None:
        self._source = source
        self._hold = hold
        self.seek, self.tell, self.seekable = source.seek, source.tell, source.seekable

    def read(self, size: int = -1) -> bytes:
        self._hold()
        return self._source.read(size)
