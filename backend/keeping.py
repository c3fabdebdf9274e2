"""Where bytes live, opened from settings: pictures and files of imports, in the data directory or in S3; and what a
restore notes there while it places them.
"""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.durable import flush_path
from backend.errors import Misconfigured
from backend.ports import BlobStore, ImportFiles
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.blobs.s3_bucket import Bucket

_STALE_SECONDS = 3_600.0  # no upload pauses for an hour: a part nobody has written to for so long is dead


@dataclass(frozen=True)
class Kept:
    """The two stores. `close` lets go of both."""

    blobs: BlobStore
    files: ImportFiles
    close: Callable[[], None] = lambda: None


def open_kept(settings: Settings, *, alone: bool = False) -> Kept:
    """`alone`: nobody else has the data directory, so that nobody is in the middle of writing a file there.

    Raises `Misconfigured` or `BlobsUnavailable` when the S3 store the settings name does not answer well.
    """
    if settings.stores.blobs_url is not None:
        from backend.blobs.s3 import S3Blobs
        from backend.blobs.s3_import_files import S3ImportFiles

        bucket = _bucket(settings, settings.stores.blobs_url)
        bucket.check()
        return Kept(S3Blobs(bucket), S3ImportFiles(bucket), bucket.close)
    from backend.blobs.filesystem import FilesystemBlobs
    from backend.blobs.import_files import FilesystemImportFiles

    stale_seconds = 0.0 if alone else _STALE_SECONDS
    return Kept(
        FilesystemBlobs(settings.data_dir / "pictures", stale_seconds),
        FilesystemImportFiles(settings.data_dir / "imports", stale_seconds),
    )


def examine_blobs(settings: Settings) -> str:
    """Where pictures are kept, after a look whether they can be. Raises `Misconfigured`, `BlobsUnavailable`."""
    url = settings.stores.blobs_url
    if url is None:
        return str(settings.data_dir / "pictures")
    with closing(_bucket(settings, url)) as bucket:
        bucket.check()
        bucket.check_writing()
    return f"{url} answers and can be written"


def unfinished_marker(settings: Settings) -> Path:
    """Stands in a data directory from the first thing a restore puts there to the last."""
    return settings.data_dir / "restoring"


def restore_begun(settings: Settings, generation: int) -> bool:
    """Whether this very restore was begun before: then what is found there is what it left.

    `generation`: of the backup's index. Raises `Misconfigured` when another one was begun, or nobody knows where to.
    """
    marker = unfinished_marker(settings)
    try:
        begun = json.loads(marker.read_text("utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        begun = None
    if begun != _goal(settings, generation):
        raise Misconfigured(
            f"a restore into {settings.data_dir} was begun and not finished, with other addresses or another backup: "
            f"finish it with those, or remove {settings.data_dir} and what it left elsewhere"
        )
    return True


def begin_restore(settings: Settings, generation: int) -> None:
    """Note where to, so that it survives a loss of power, before the first thing is written there."""
    marker = unfinished_marker(settings)
    marker.parent.mkdir(parents=True, exist_ok=True)
    draft = marker.with_name(f"{marker.name}.new")
    draft.write_text(json.dumps(_goal(settings, generation)), "utf-8")
    flush_path(draft)
    draft.replace(marker)
    flush_path(marker.parent)


def finish_restore(settings: Settings) -> None:
    """It is an installation from now on: so the names of all that was placed are on the disk first."""
    flush_path(settings.data_dir)
    unfinished_marker(settings).unlink()


def addresses(settings: Settings) -> dict[str, str | None]:
    """What lives elsewhere, and where: without passwords. None: in the data directory."""
    stores = settings.stores
    return {
        "catalog": stores.catalog_url and stores.catalog_url.rpartition("@")[2],
        "index": stores.qdrant_url,
        "collection": stores.qdrant_collection,
        "pictures": stores.blobs_url,
    }


def _goal(settings: Settings, generation: int) -> dict[str, str | int | None]:
    return {**addresses(settings), "generation": generation}


def refuse_unfinished(settings: Settings) -> None:
    """Raise `Misconfigured` where a restore did not come to its end."""
    if unfinished_marker(settings).exists():
        raise Misconfigured(
            f"a restore into {settings.data_dir} did not come to its end: run `shelfsight restore FOLDER` once more"
        )


def _bucket(settings: Settings, url: str) -> "Bucket":
    try:
        from backend.blobs.s3_bucket import Bucket
    except ImportError as err:
        raise Misconfigured("pictures in S3 need boto3: pip install 'shelfsight[s3]'") from err

    threads = settings.server.threads + settings.worker.tasks
    return Bucket(url, endpoint=settings.stores.blobs_endpoint, connections=threads)
