"""A client that writes without a pause and remembers what it was told."""

import base64
import io
import json
import random
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from tests.faults.assortment import Assortment, content_hash
from tests.faults.memory import Address, Contested, Delete, Owned, Patch, Put, Write
from tests.faults.wire import ANSWER_SECONDS, PAUSE_SECONDS, Wire

MERCHANTS = ("arden", "corvo", "mirel")
PRODUCTS_EACH = 300  # of one client: few enough that each is written dozens of times in a run of minutes
IMPORT_ROWS = 90

Product = Owned | Contested


@dataclass
class Tally:
    """What all clients share: whether to go on, what was confirmed, and what should never have been answered.

    `jobs`: merchant and id of each confirmed write's job. `imports`: merchant, id and rows.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    confirmed: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    jobs: list[tuple[str, str]] = field(default_factory=list)
    imports: list[tuple[str, str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Import:
    job_id: str
    merchant: str
    rows: dict[int, tuple[Owned, Write]]


class Client(threading.Thread):
    """Creates, replaces, reprices, deletes and imports products of its own, and some that others write too."""

    def __init__(
        self, number: int, rng: random.Random, wire: Wire, assortment: Assortment, tally: Tally, shared: list[Contested]
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._rng, self._wire, self._assortment, self._tally, self._shared = rng, wire, assortment, tally, shared
        self.products = [
            Owned(Address(MERCHANTS[n % len(MERCHANTS)], f"c{number}-{n}", f"crash/{number}"))
            for n in range(PRODUCTS_EACH)
        ]
        self._imports: list[_Import] = []
        self._held: set[str] = set()  # products an import is about to change
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._tally.stop.is_set():
                self._look_at_imports(chance=0.3)
                self._one_write()
            until = time.monotonic() + ANSWER_SECONDS
            while self._imports and time.monotonic() < until:
                self._look_at_imports()
                time.sleep(PAUSE_SECONDS)
            assert not self._imports, f"imports that never ended: {[item.job_id for item in self._imports]}"
        except BaseException as err:
            self.failure = err
        finally:
            self._wire.close()

    # --- one product --------------------------------------------------------------------------------------------------

    def _one_write(self) -> None:
        chance, rng = self._rng.random(), self._rng
        if chance < 0.05 and len(self._imports) < 3:
            self._import()
            return
        product: Product = rng.choice(self._shared) if chance > 0.9 else rng.choice(self.products)
        if product.address.product_id in self._held:
            return
        kind = rng.choices(("patch", "put", "delete"), (60, 30, 10))[0]
        if isinstance(product, Owned) and not any(state.live for state in product.possible):
            kind = "put"
        if kind == "patch":
            patch = Patch(_price(rng))
            self._send(product, patch, "PATCH", json={"price": str(patch.price)})
        elif kind == "delete":
            self._send(product, Delete(), "DELETE")
        else:
            self._put(product)

    def _put(self, product: Product) -> None:
        facts = {"title": f"put {self._rng.getrandbits(40):x}", "price": str(_price(self._rng))}
        facts["category"] = product.address.category
        chance = self._rng.random() if isinstance(product, Owned) else 1.0
        if chance < 0.1:
            url, expected = self._assortment.address(self._rng)
            self._send(product, _put_of(facts, [expected]), "PUT", json={**facts, "images": [{"url": url}]})
        elif chance < 0.13:
            images = [{"url": self._assortment.dead_address(self._rng)}]
            self._send(product, _put_of(facts, [], broken=True), "PUT", json={**facts, "images": images})
        else:
            self._put_bytes(product, facts)

    def _put_bytes(self, product: Product, facts: dict[str, str]) -> None:
        data = self._assortment.some(self._rng)
        write = _put_of(facts, map(content_hash, data))
        if self._rng.random() < 0.5:
            images = [{"data": base64.b64encode(item).decode()} for item in data]
            self._send(product, write, "PUT", json={**facts, "images": images})
        else:
            parts: list[tuple[str, Any]] = [("product", (None, json.dumps(facts), "application/json"))]
            parts += [("images", ("a.jpg", item, "image/jpeg")) for item in data]
            self._send(product, write, "PUT", files=parts)

    def _send(self, product: Product, write: Write, method: str, **body: Any) -> None:
        address, kind = product.address, _kind(product, write)
        keyed = isinstance(product, Owned) and self._rng.random() < 0.5
        answer = self._wire.ask(method, f"/v1/products/{address.product_id}", address.merchant, keyed=keyed, **body)
        if answer is not None and answer.is_success:
            told = answer.json()
            product.confirmed(write, told.get("version"))  # a repeated request may be told its job alone
            self._count(kind)
            self._tally.jobs.append((address.merchant, told["job_id"]))
        elif answer is not None and answer.status_code == 404:
            product.refused(write)
        elif answer is None or answer.status_code not in (409, 429):
            self._not_confirmed(kind, answer)
            product.unanswered(write)

    # --- imports ------------------------------------------------------------------------------------------------------

    def _import(self) -> None:
        merchant = self._rng.choice(MERCHANTS)
        free = [
            item
            for item in self.products
            if item.address.merchant == merchant and item.address.product_id not in self._held
        ]
        chosen = self._rng.sample(free, min(len(free), IMPORT_ROWS))
        writes: list[Write]
        if self._rng.random() < 0.6:
            writes, content = self._table(chosen)
            path, content_type = "/v1/imports?mode=patch", "text/csv"
        else:
            chosen = chosen[: IMPORT_ROWS // 3]
            writes, content = self._archive(chosen)
            path, content_type = "/v1/imports", "application/zip"
        answer = self._wire.ask(
            "POST", path, merchant, keyed=True, headers={"Content-Type": content_type}, content=content
        )
        pairs = list(zip(chosen, writes, strict=True))
        if answer is not None and answer.status_code == 202:
            self._imports.append(_Import(answer.json()["job_id"], merchant, dict(enumerate(pairs, 1))))
            self._held |= {item.address.product_id for item in chosen}
        elif answer is None or answer.status_code != 429:
            self._not_confirmed("import", answer)
            for product, write in pairs:
                product.unanswered(write)
            self._held |= {item.address.product_id for item in chosen}  # who knows when it will be read

    def _table(self, chosen: list[Owned]) -> tuple[list[Write], bytes]:
        """New prices, as a CSV."""
        prices = [Patch(_price(self._rng)) for _ in chosen]
        lines = [f"{item.address.product_id},{write.price}" for item, write in zip(chosen, prices, strict=True)]
        return [*prices], "\n".join(["product_id,price", *lines]).encode()

    def _archive(self, chosen: list[Owned]) -> tuple[list[Write], bytes]:
        """Whole products, as a ZIP."""
        buffer, puts = io.BytesIO(), []
        with zipfile.ZipFile(buffer, "w") as archive:
            lines = ["product_id,title,category,price,image"]
            for number, item in enumerate(chosen):
                pictures = {f"{number}-{n}.jpg": data for n, data in enumerate(self._assortment.some(self._rng))}
                facts = {"title": f"row {self._rng.getrandbits(40):x}", "price": str(_price(self._rng))}
                puts.append(_put_of(facts, map(content_hash, pictures.values())))
                cells = (item.address.product_id, facts["title"], item.address.category, facts["price"])
                lines.append(",".join([*cells, "|".join(pictures)]))
                for name, data in pictures.items():
                    archive.writestr(name, data)
            archive.writestr("products.csv", "\n".join(lines))
        return [*puts], buffer.getvalue()

    def _look_at_imports(self, *, chance: float = 1.0) -> None:
        """Ask after one of the imports under way; when it has ended, note what became of each row."""
        if not self._imports or self._rng.random() > chance:
            return
        asked = self._imports.pop(0)
        self._imports.append(asked)
        job = self._wire.ask("GET", f"/v1/jobs/{asked.job_id}", asked.merchant)
        if job is None or not job.is_success or not job.json()["done"]:
            return
        page = self._wire.ask("GET", f"/v1/jobs/{asked.job_id}/items?limit=1000", asked.merchant)
        if page is not None and page.is_success:
            self._imports.remove(asked)
            self._tally.imports.append((asked.merchant, asked.job_id, len(asked.rows)))
            self._note(asked, page.json()["items"])

    def _note(self, ended: _Import, items: list[dict[str, Any]]) -> None:
        rows = dict(ended.rows)
        for item in items:
            product, write = rows.pop(item["row"])
            self._held.discard(product.address.product_id)
            if item["code"] == "product_not_found":
                product.refused(write)
            else:
                product.confirmed(write)
                self._count(f"row of an import ({write.kind})")
        for product, write in rows.values():
            product.contradictions.append(f"{write} has no item in the ledger of {ended.job_id}")

    def _count(self, kind: str) -> None:
        with self._tally.lock:
            self._tally.confirmed[kind] += 1

    def _not_confirmed(self, kind: str, answer: httpx.Response | None) -> None:
        with self._tally.lock:
            self._tally.unanswered[kind] += 1
            if answer is not None and answer.status_code != 503:
                self._tally.unexpected[f"{answer.request.method} {answer.status_code} {answer.text[:200]}"] += 1


def _kind(product: Product, write: Write) -> str:
    if isinstance(product, Contested):
        return f"{write.kind} by several clients"
    if write.kind != "put":
        return write.kind
    if any(state.live for state in product.possible):
        return "replace"
    return "create" if any(state.version == 0 for state in product.possible) else "create again"


def _price(rng: random.Random) -> Decimal:
    return Decimal(rng.randrange(1, 1_000_000)).scaleb(-2)


def _put_of(facts: dict[str, str], hashes: Iterable[str], *, broken: bool = False) -> Put:
    return Put(facts["title"], Decimal(facts["price"]), frozenset(hashes), broken)
