"""Results for a person: a table in the terminal, a contact sheet in the browser."""

import base64
from html import escape
from typing import Any

from rich.table import Table
from rich.text import Text

from backend.cli.client import Api

_THUMBNAIL = 240
_FACET_VALUES = 12
_STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#222;background:#fafafa}
h1{font-size:1.2rem;font-weight:600}
.query{display:flex;gap:1rem;align-items:center;margin-bottom:1.5rem}
.query img{max-height:180px;border-radius:8px;border:3px solid #3763c4}
ol{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:1rem;list-style:none;padding:0}
li{background:#fff;border:1px solid #e3e3e3;border-radius:8px;padding:.6rem}
li img{width:100%;height:190px;object-fit:contain}
.score{float:right;color:#666;font-variant-numeric:tabular-nums}
.facts{color:#555;font-size:.85rem}
"""


def results_table(results: dict[str, Any], title: str) -> Table:
    """Matches as a table for the terminal."""
    table = Table("", "score", "product", "title", "category", "price", "stock", title=Text(title))
    for number, match in enumerate(results["matches"], 1):
        product = match["product"]
        table.add_row(
            str(number),
            f"{match['score']:.3f}",
            match["product_id"],
            Text(product["title"]),  # Text: a merchant's words are shown as they are, never read as markup
            Text(product["category"]),
            price_text(product),
            "yes" if product["in_stock"] else "no",
        )
    return table


def facets_text(results: dict[str, Any]) -> str:
    """One line a facet: its values with their counts, the most frequent first."""
    lines = []
    for name, facet in results.get("facets", {}).items():
        counts = [(str(it["value"]), it["products"]) for it in facet.get("values", [])]
        counts += [(f"{it['from']:g}-{it['to']:g}", it["products"]) for it in facet.get("ranges", [])]
        unit = f" ({facet['currency']})" if "currency" in facet else ""
        lines.append(
            f"{name}{unit}: {', '.join(f'{value} {products}' for value, products in counts[:_FACET_VALUES])}\n"
        )
    return "".join(lines)


def contact_sheet(api: Api, results: dict[str, Any], title: str, picture: bytes | None) -> str:
    """Matches as one HTML page that needs no server: the pictures are inside."""
    items = "".join(_item(api, match) for match in results["matches"]) or "<p>Nothing was found.</p>"
    query = f'<img alt="the query picture" src="{_inline(picture)}">' if picture else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f'<div class="query">{query}<h1>{escape(title)}</h1></div><ol>{items}</ol></html>'
    )


def price_text(product: dict[str, Any]) -> str:
    """The price with its currency, or nothing."""
    return f"{product['price']} {product['currency']}" if product["price"] is not None else ""


def _item(api: Api, match: dict[str, Any]) -> str:
    product = match["product"]
    picture = _inline(api.thumbnail(match["matched_image"]["url"], _THUMBNAIL))
    facts = " · ".join(
        filter(
            None,
            (product["category"], product["brand"], price_text(product), "" if product["in_stock"] else "sold out"),
        )
    )
    title = escape(product["title"] or match["product_id"])
    return (
        f'<li><img alt="{title}" src="{picture}"><div><span class="score">{match["score"]:.3f}</span>{title}</div>'
        f'<div class="facts">{escape(facts)}</div></li>'
    )


def _inline(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
