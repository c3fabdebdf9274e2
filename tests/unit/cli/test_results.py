"""What a person sees, whatever merchants wrote into their titles."""

from typing import Any

from rich.console import Console

from backend.cli.ingest import Outcome, report
from backend.cli.results import contact_sheet, facets_text, results_table

HOSTILE = "[/red] <script>alert(1)</script> [bold]x"


class Pictures:
    """Stands for the API where only thumbnails are asked for."""

    def thumbnail(self, path: str, width: int) -> bytes:
        return b"jpeg"


def results() -> dict[str, Any]:
    product = {
        "title": HOSTILE,
        "category": "[a]/b",
        "brand": "B",
        "price": "1.50",
        "currency": "EUR",
        "in_stock": False,
    }
    match = {"product_id": "p", "score": 0.5, "product": product, "matched_image": {"id": "i", "url": "/v1/images/i"}}
    return {"matches": [match], "took_ms": {"total": 1.0}}


def shown(*printed: object) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        for item in printed:
            console.print(item)
    return captured.get()


def test_a_table_shows_titles_as_they_are() -> None:
    assert HOSTILE in shown(results_table(results(), "[/query]"))


def test_a_report_shows_reasons_as_they_are() -> None:
    console = Console(width=300)
    failure = {"row": 3, "product_id": "[p]", "code": "csv_invalid", "detail": HOSTILE}
    with console.capture() as captured:
        report(Outcome({"searchable": 4, "failed": 1}, [failure], ["[x]"], 2.0), console)
    text = captured.get()
    assert "4 searchable, 1 failed in 2.0 s (2.0 products/s)" in text
    assert HOSTILE in text
    assert "[x]" in text


def test_facets_are_a_line_each() -> None:
    values = [{"value": "[mug]", "products": 3}, {"value": True, "products": 1}]
    ranges = [{"from": 0.0, "to": 2.5, "products": 4}]
    facets = {"attributes.kind": {"values": values}, "price": {"ranges": ranges, "currency": "EUR"}}
    assert facets_text({**results(), "facets": facets}).splitlines() == [
        "attributes.kind: [mug] 3, True 1",
        "price (EUR): 0-2.5 4",
    ]
    assert not facets_text(results())


def test_a_contact_sheet_escapes_what_merchants_wrote() -> None:
    page = contact_sheet(Pictures(), results(), "<b>", b"query")  # type: ignore[arg-type]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in page
    assert "1.50 EUR · sold out" in page


def test_an_empty_sheet_says_so() -> None:
    assert "Nothing was found" in contact_sheet(Pictures(), {"matches": []}, "x", None)  # type: ignore[arg-type]
