"""Close an index that does not serve any more, once the last call that began with it has ended."""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from backend.errors import ShelfsightError
from backend.ports import VectorStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2


def retire_index(vectors: VectorStore, verbs: Sequence[object]) -> threading.Thread:
    """`verbs`: those made over it, which the caller has let go of. Who is in a call holds its verb, and nobody else.

    So nothing has to be counted, and no verb can be forgotten. The thread ends when the index is closed.
    """
    in_use = [weakref.ref(verb) for verb in verbs if _can_be_watched(verb)]
    thread = threading.Thread(target=_close_when_gone, args=(vectors, in_use), name="retire-index", daemon=True)
    thread.start()
    return thread


def _close_when_gone(vectors: VectorStore, in_use: Sequence[Callable[[], object | None]]) -> None:
    while any(verb() is not None for verb in in_use):
        time.sleep(LOOK_SECONDS)
    try:
        vectors.close()
    except ShelfsightError:
        log.exception("the former index could not be closed in order")
    else:
        log.info("the former index is closed")


def _can_be_watched(verb: object) -> bool:
    return type(verb).__weakrefoffset__ != 0
