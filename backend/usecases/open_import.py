"""Accept a file of products: checked as a whole, made durable, and given a job. Its rows are read by a worker."""

from dataclasses import dataclass
from typing import IO

from backend.domain.importing import ImportOptions
from backend.domain.work import Receipt
from backend.errors import RepeatedRequest
from backend.ports import Doorbell, ImportFiles, Jobs, ManifestReader


@dataclass(frozen=True, slots=True)
class OpenedImport:
    """The job, whose columns were recognised, and the columns nothing is read from."""

    job_id: str
    dialect: str
    ignored_columns: tuple[str, ...]


@dataclass(frozen=True)
class OpenImport:
    """Durable when this returns."""

    manifests: ManifestReader
    files: ImportFiles
    jobs: Jobs
    doorbell: Doorbell

    def __call__(
        self, merchant: str, source: IO[bytes], options: ImportOptions, receipt: Receipt | None = None
    ) -> OpenedImport:
        """Raises what the manifest's form says of the file as a whole, `RepeatedRequest`, `BlobsUnavailable`."""
        with self.manifests.open(source, merchant, options) as manifest:
            dialect, ignored = manifest.dialect, manifest.ignored_columns
        source.seek(0)
        name = self.files.keep(source)
        try:
            job_id = self.jobs.open_import(merchant, name, options, receipt)
        except RepeatedRequest:
            self.files.delete(name)
            raise
        self.doorbell.ring_imports()
        return OpenedImport(job_id, dialect, ignored)
