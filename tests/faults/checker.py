"""After a run: what every reader sees, against what the clients were told."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import httpx

from tests.faults.client import MERCHANTS, Product, Tally
from tests.faults.memory import Address, State, seen_in
from tests.installation import Installation

PAGE = 100
SAMPLED_JOBS = 300


@dataclass
class Findings:
    """How often each fault was found, with a line about each of the first; `failed`: products by their code."""

    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    searchable: int = 0

    def add(self, fault: str, about: str) -> None:
        self.faults[fault] += 1
        if self.faults[fault] <= 5:
            self.examples.append(f"{fault}: {about}")


class Checker:
    """Reads everything once, through the API, when nothing is due any more."""

    def __init__(self, installation: Installation, products: Iterable[Product], tally: Tally) -> None:
        self._installation = installation
        self._products = {(item.address.merchant, item.address.product_id): item for item in products}
        self._tally = tally
        self.findings = Findings()

    def run(self, rng: random.Random) -> Findings:
        """Everything that is wrong."""
        shown = {key: state for key, item in self._products.items() if (state := self._shown(item)) is not None}
        for merchant in MERCHANTS:
            live = {key: state for key, state in shown.items() if key[0] == merchant}
            self._check_search(merchant, live)
            self._check_counts(merchant, live)
        self._check_jobs(rng)
        self._check_files()
        return self.findings

    def _shown(self, item: Product) -> State | None:
        """The product as GET shows it, judged; None when there is none."""
        address = item.address
        answer = self._get(f"/v1/products/{address.product_id}", address.merchant)
        if answer.status_code not in (200, 404):
            self.findings.add("wrong", f"{address}: {answer.status_code} {answer.text[:200]}")
            return None
        view = answer.json() if answer.status_code == 200 else None
        state = seen_in(view) if view else None
        judged = state
        if view and state and view["state"] == "failed":
            self.findings.failed[str(view["code"])] += 1
            if not view["code"]:
                self.findings.add("wrong", f"{address} failed without a code")
            if view["code"] == "poison":  # its worker was killed twice with it in hand: allowed, and said in the table
                judged = replace(state, broken=False)
        if view and view["state"] == "pending":
            self.findings.add("wrong", f"{address} is pending although nothing is due")
        if verdict := item.verdict(judged):
            self.findings.add(verdict, f"{address} is {judged}; {item}"[:1_000])
        return state

    def _check_search(self, merchant: str, live: dict[tuple[str, str], State]) -> None:
        """Every searchable product is found once, as GET shows it, and nothing else is found."""
        expected = {key: state for key, state in live.items() if not state.broken}
        self.findings.searchable += len(expected)
        categories = sorted({item.address.category for item in self._products.values()})
        found = [match for category in categories for match in self._enumerate(merchant, category)]
        times = Counter(match["product_id"] for match in found)
        for product_id, count in times.items():
            if count > 1:
                self.findings.add("duplicated", f"{merchant}/{product_id} found {count} times")
        for match in found:
            key = (merchant, match["product_id"])
            if key not in expected:
                self.findings.add("phantom", f"{key} is found but GET shows {live.get(key)}")
            elif not _agrees(match, expected[key], self._products[key].address):
                self.findings.add("wrong", f"{key} is found as {match['product']} but is {expected[key]}")
        for key, state in expected.items():
            if key[1] not in times:
                self.findings.add("lost", f"{key} is not found; it is {state}")

    def _enumerate(self, merchant: str, category: str) -> Iterator[dict[str, Any]]:
        for offset in range(0, 1_000, PAGE):
            body = {"text": "red", "filter": {"category": category}, "limit": PAGE, "offset": offset}
            answer = self._installation.http.post(
                f"{self._installation.url}/v1/search", json=body, headers={"X-Shelfsight-Merchant": merchant}
            )
            answer.raise_for_status()
            matches = answer.json()["matches"]
            yield from matches
            if len(matches) < PAGE:
                return
        raise AssertionError(f"{category} has more products than can be enumerated")

    def _check_counts(self, merchant: str, live: dict[tuple[str, str], State]) -> None:
        """Catalog, index and enumeration agree."""
        status = self._get("/v1/status", merchant).json()
        searchable = [state for state in live.values() if not state.broken]
        pictures = sum(len(state.pictures) for state in searchable)
        expected = {
            "searchable": len(searchable),
            "failed": len(live) - len(searchable),
            "pending": 0,
            "pictures": pictures,
            "points": pictures,
        }
        told = {**status["products"], "points": status["index"]["points"]}
        if wrong := {name: (told[name], value) for name, value in expected.items() if told[name] != value}:
            self.findings.add("counts disagree", f"{merchant}: (told, expected) {wrong}")

    def _check_jobs(self, rng: random.Random) -> None:
        """Each row of an import has exactly one item; no job waits for anything."""
        for merchant, job_id, rows in self._tally.imports:
            items = self._get(f"/v1/jobs/{job_id}/items?limit=1000", merchant).json()["items"]
            if [item["row"] for item in items] != list(range(1, rows + 1)):
                self.findings.add("counts disagree", f"import {job_id} of {rows} rows has {len(items)} items")
        for merchant, job_id in rng.sample(self._tally.jobs, min(SAMPLED_JOBS, len(self._tally.jobs))):
            job = self._get(f"/v1/jobs/{job_id}", merchant)
            if not job.is_success or not job.json()["done"]:
                self.findings.add("wrong", f"job {job_id} of a confirmed write: {job.text[:300]}")

    def _check_files(self) -> None:
        """What was begun and not finished is gone, and so are the files of imports that were read."""
        data_dir = self._installation.data_dir
        left = [*data_dir.rglob("*.part"), *(data_dir / "tmp").rglob("*"), *(data_dir / "imports").glob("*")]
        for path in set(left):
            self.findings.add("orphan files", str(path.relative_to(data_dir)))

    def _get(self, path: str, merchant: str) -> httpx.Response:
        headers = {"X-Shelfsight-Merchant": merchant}
        return self._installation.http.get(self._installation.url + path, headers=headers)


def _agrees(match: dict[str, Any], state: State, address: Address) -> bool:
    product = match["product"]
    return (
        (product["title"], product["category"]) == (state.title, address.category)
        and Decimal(product["price"]) == state.price
        and match["matched_image"]["id"] in state.pictures
    )


def by_kind(counts: Counter[str]) -> str:
    """`3 server, 1 broker`: the greatest first."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "none"


FAULTS = ("lost", "phantom", "duplicated", "wrong", "counts disagree", "orphan files")
