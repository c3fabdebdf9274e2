"""Where the entries of a ZIP really lie: two that share bytes are how a small file unpacks to more than it holds.

The entry's own (local) header decides, not the directory: a "quoted" overlap hides a header inside another's data
(CVE-2024-0450; David Fifield, "A better zip bomb", WOOT 2019). Layout: PKWARE APPNOTE 6.3, section 4.3.7.
"""

import struct
import zipfile
from collections.abc import Sequence
from typing import IO

from backend.errors import InvalidArchive

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., length of the name, length of the extra field
_SIGNATURE = b"PK\x03\x04"


def refuse_overlaps(source: IO[bytes], infos: Sequence[zipfile.ZipInfo], directory_at: int) -> None:
    """Raise `InvalidArchive` unless every entry ends before the next begins, and the last before the directory."""
    free_from = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < free_from:
            raise InvalidArchive("entries of the ZIP overlap")
        source.seek(info.header_offset)
        header = source.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_SIGNATURE):
            raise InvalidArchive("an entry of the ZIP has no header of its own")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        free_from = info.header_offset + len(header) + name_length + extra_length + info.compress_size
    if free_from > directory_at:
        raise InvalidArchive("entries of the ZIP overlap with its directory")
