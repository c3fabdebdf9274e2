"""`shelfsight search`: by a picture file or by words, on a running server."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from backend.cli.told import told
from backend.domain.query import AUTO, FacetsOver, Sort, Words
from backend.settings import load_settings

console = Console()


FILTER, ORDER = "What may be found", "What is done with it"
"""The options' groups in the help."""


def search(  # noqa: PLR0917 - each option of the command is a parameter
    wanted: Annotated[str, typer.Argument(help="A picture file, or words.")],
    category: Annotated[
        list[str] | None,
        typer.Option(help="With everything below it; repeat for any of several.", rich_help_panel=FILTER),
    ] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Repeat for any of several.", rich_help_panel=FILTER)] = None,
    min_price: Annotated[float | None, typer.Option(rich_help_panel=FILTER)] = None,
    max_price: Annotated[float | None, typer.Option(rich_help_panel=FILTER)] = None,
    in_stock: Annotated[bool | None, typer.Option("--in-stock/--sold-out", rich_help_panel=FILTER)] = None,
    min_score: Annotated[
        str | None,
        typer.Option(help="The least cosine of a match, or auto: measured on the index.", rich_help_panel=FILTER),
    ] = None,
    words: Annotated[
        Words, typer.Option(help="Whether products' own words are searched too.", rich_help_panel=FILTER)
    ] = Words.AUTO,
    sort: Annotated[Sort, typer.Option(rich_help_panel=ORDER)] = Sort.RELEVANCE,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="Leave out near duplicates.", rich_help_panel=ORDER)
    ] = False,
    diversity: Annotated[float, typer.Option(min=0, max=1, rich_help_panel=ORDER)] = 0.0,
    facet: Annotated[
        list[str] | None,
        typer.Option(help="Count by category, brand, price, attributes.color ...", rich_help_panel=ORDER),
    ] = None,
    facets_over: Annotated[FacetsOver, typer.Option(rich_help_panel=ORDER)] = FacetsOver.FILTER,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    html: Annotated[Path | None, typer.Option(help="Write a contact sheet to look at in a browser.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of a running server; without it the one of the data directory.")
    ] = None,
    merchant: Annotated[str, typer.Option(help="Whose catalog.")] = "default",
) -> None:
    """Search by a picture or by words, with filters."""
    from backend.cli.client import running
    from backend.cli.results import contact_sheet, facets_text, results_table

    price = {name: value for name, value in (("gte", min_price), ("lte", max_price)) if value is not None}
    chosen = {"category": category, "brand": brand, "price": price, "in_stock": in_stock}
    body: dict[str, Any] = {
        "limit": limit,
        "words": words,
        "min_score": _cosine(min_score),
        "sort": sort,
        "collapse": collapse,
        "diversity": diversity,
        "facets": facet or [],
        "facets_over": facets_over,
        "filter": {name: value for name, value in chosen.items() if value not in (None, [], {})},
    }
    picture = Path(wanted) if Path(wanted).is_file() else None
    if picture is None:
        body["text"] = wanted
    with told(), running(load_settings(), url=url, merchant=merchant) as api:
        results = api.search(body, picture)
        for typed, meant in results.get("corrected", {}).items():
            console.print(f"{typed} is in no product; searched for {meant}", markup=False)
        console.print(results_table(results, wanted))
        console.print(facets_text(results), markup=False, end="")
        console.print(f"{len(results['matches'])} products in {results['took_ms']['total']:.0f} ms")
        if html is not None:
            html.write_text(contact_sheet(api, results, wanted, picture.read_bytes() if picture else None), "utf-8")
            console.print(f"contact sheet: {html}")


def _cosine(text: str | None) -> float | str | None:
    if text is None or text == AUTO:
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter("a cosine from -1 to 1, or auto", param_hint="--min-score") from None
