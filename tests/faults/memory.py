"""What a client knows of its products: the states each may be in after the answers that came and those that did not."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class State:
    """A product at one version. `broken`: its pictures cannot be had, so it has to end as failed, with a code."""

    version: int = 0
    live: bool = False
    title: str = ""
    price: Decimal = Decimal(0)
    pictures: frozenset[str] = frozenset()
    broken: bool = False


class Write(Protocol):
    """A change a client asked for."""

    @property
    def kind(self) -> str:
        """What it is called in the table."""
        ...

    def on(self, state: State) -> State | None:
        """The state after it; None where the server has to answer 404."""
        ...

    def fits(self, seen: State) -> bool:
        """Whether a product looks as this write, being the last one, left it."""
        ...


@dataclass(frozen=True, slots=True)
class Put:
    """Create or replace. `pictures`: content hashes."""

    title: str
    price: Decimal
    pictures: frozenset[str]
    broken: bool = False
    kind: str = "put"

    def on(self, state: State) -> State:
        return State(
            state.version + 1, live=True, title=self.title, price=self.price, pictures=self.pictures, broken=self.broken
        )

    def fits(self, seen: State) -> bool:
        return self.on(State(seen.version - 1)) == seen


@dataclass(frozen=True, slots=True)
class Patch:
    """Another price."""

    price: Decimal
    kind: str = "patch"

    def on(self, state: State) -> State | None:
        return replace(state, version=state.version + 1, price=self.price) if state.live else None

    def fits(self, seen: State) -> bool:
        return seen.live and seen.price == self.price


@dataclass(frozen=True, slots=True)
class Delete:
    """Gone."""

    kind: str = "delete"

    def on(self, state: State) -> State | None:
        return State(state.version + 1) if state.live else None

    def fits(self, seen: State) -> bool:
        return not seen.live


@dataclass(frozen=True, slots=True)
class Address:
    """Where a product is found: no two merchants share one."""

    merchant: str
    product_id: str
    category: str


@dataclass
class Owned:
    """A product one client alone writes, one write after another: what it may be is a small, exact set."""

    address: Address
    possible: frozenset[State] = frozenset({State()})
    contradictions: list[str] = field(default_factory=list)

    def confirmed(self, write: Write, version: int | None = None) -> None:
        """The server said yes (and which version that made)."""
        after = {now for state in self.possible if (now := write.on(state)) is not None}
        told = {state for state in after if version in (None, state.version)}
        self._becomes(told, f"{write} confirmed as version {version}", otherwise=after)

    def refused(self, write: Write) -> None:
        """The server said that there is no such product."""
        self._becomes({state for state in self.possible if write.on(state) is None}, f"{write} refused with 404")

    def unanswered(self, write: Write) -> None:
        """It may have happened or not."""
        self.possible |= {now for state in self.possible if (now := write.on(state)) is not None}

    def verdict(self, seen: State | None) -> str | None:
        """What is wrong with what a reader sees now (None: there is no product); None when nothing is."""
        live = {state for state in self.possible if state.live}
        if self.contradictions:
            return "wrong"
        if seen is None:
            return "lost" if len(live) == len(self.possible) else None
        if not live:
            return "phantom"
        if seen in live:
            return None
        return "lost" if seen.version < min(state.version for state in self.possible) else "wrong"

    def _becomes(self, states: Iterable[State], what: str, otherwise: Iterable[State] = ()) -> None:
        now = frozenset(states)
        if not now:
            self.contradictions.append(f"{what}; it could only be one of {sorted(self.possible, key=str)}")
        self.possible = now or frozenset(otherwise) or self.possible


@dataclass
class Contested:
    """A product several clients write at once: the greatest confirmed version is the watermark."""

    address: Address
    by_version: dict[int, Write] = field(default_factory=dict)
    unsure: list[Write] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def confirmed(self, write: Write, version: int | None = None) -> None:
        with self._lock:
            if version is None or version in self.by_version:
                self.contradictions.append(f"version {version} is {self.by_version.get(version or 0)} and {write}")
            else:
                self.by_version[version] = write

    def refused(self, write: Write) -> None:
        """Another client deleted it: nothing is known that was not."""

    def unanswered(self, write: Write) -> None:
        with self._lock:
            self.unsure.append(write)

    def verdict(self, seen: State | None) -> str | None:
        newest = max(self.by_version, default=0)
        last: Write = self.by_version.get(newest, Delete())
        later = [write for write in self.unsure if seen is None or write.fits(seen)]
        if self.contradictions:
            return "duplicated"
        if seen is None:
            return None if last.kind == "delete" or any(write.kind == "delete" for write in later) else "lost"
        if seen.version < newest:
            return "lost"
        if seen.version == newest:
            return None if last.fits(seen) else "phantom" if last.kind == "delete" else "wrong"
        return None if later and seen.version <= newest + len(self.unsure) else "wrong"


def seen_in(view: dict[str, Any]) -> State:
    """What GET /v1/products/{id} shows, in our words."""
    pictures = view["images"]
    return State(
        version=view["version"],
        live=True,
        title=view["title"],
        price=Decimal(view["price"] or 0),
        pictures=frozenset(item["image_id"] for item in pictures if item["image_id"]),
        broken=view["state"] == "failed",
    )
