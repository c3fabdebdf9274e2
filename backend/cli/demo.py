"""`shelfsight demo`: a running server with a catalog in it, three searches, and the address to go on from."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from backend.cli.client import Api, started
from backend.cli.ingest import ingest, report
from backend.cli.processes import spawn
from backend.cli.results import results_table
from backend.demo.catalog import write_catalog
from backend.settings import Settings

MERCHANT = "default"
CATALOG = "demo-catalog"


def demo(settings: Settings, catalog: Path | None, console: Console, *, stay: bool) -> None:
    """Start, load what is missing, search, and stay until Ctrl-C (unless `stay` is False)."""
    begun = time.monotonic()
    console.print("[bold]Shelfsight demo[/bold]: starting a private broker, the encoder and the server ...")
    drawing = None if catalog else _draw_meanwhile(settings.data_dir)
    with (
        started(settings, port=settings.server.port) as url,
        Api(url, key=settings.platform_key(), merchant=MERCHANT) as api,
    ):
        status = api.get("/v1/status")
        console.print(f"serving on {url} after {time.monotonic() - begun:.1f} s")
        console.print(f"encoder: {status['model']['name']} - {status['model']['reason']}", markup=False)
        _load(settings, catalog or _drawn(drawing, settings.data_dir), api, console)
        for title, query in _searches(api):
            results = api.search(query, None)
            console.print(results_table(results, title))
            took = results["took_ms"]["total"]
            console.print(f"{len(results['matches'])} products in {took:.0f} ms\n")
        console.print(f"first results {time.monotonic() - begun:.1f} s after the start")
        console.print(_what_next(url))
        if stay:
            _wait()
            console.print("stopping ...")


def _draw_meanwhile(data_dir: Path) -> "subprocess.Popen[bytes]":
    """Draw the catalog in a process of its own while the server starts: both take some ten seconds of a core."""
    code = (
        "import sys, pathlib; from backend.demo.catalog import write_catalog; write_catalog(pathlib.Path(sys.argv[1]))"
    )
    return spawn([sys.executable, "-c", code, str(data_dir / CATALOG)])


def _drawn(drawing: "subprocess.Popen[bytes] | None", data_dir: Path) -> Path:
    """The drawn catalog, once its process has ended; one that failed is drawn here, where its error shows."""
    if drawing is not None:
        drawing.wait()
    return write_catalog(data_dir / CATALOG)


def _load(settings: Settings, catalog: Path, api: Api, console: Console) -> None:
    """Bring the catalog in, once: a marker in the data directory remembers which."""
    marker = settings.data_dir / "demo-loaded"
    wanted = f"{catalog.absolute()} {catalog.stat().st_mtime_ns}" if catalog.exists() else str(catalog)
    if marker.exists() and marker.read_text("utf-8") == wanted:
        counts = api.get("/v1/status")["products"]
        console.print(
            f"catalog: {counts['searchable']} products of {catalog} are there from an earlier run", markup=False
        )
        return
    console.print(f"catalog: {catalog}", markup=False)
    report(ingest(api, catalog, console), console)
    marker.write_text(wanted, "utf-8")


def _searches(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Three searches that any catalog answers: words, a product's picture under a filter, a product like another."""
    found = api.search({"text": "red shoes", "limit": 1}, None)["matches"]
    if not found:
        return []
    first = found[0]
    category = first["product"]["category"].split("/")[0]
    picture = {"image": {"image_id": first["matched_image"]["id"]}, "limit": 5}
    return [
        ("words: red shoes", {"text": "red shoes", "limit": 5}),
        (
            f"the picture of {first['product_id']}, in {category or 'all'}, in stock, up to 80.00",
            picture
            | {"filter": {"in_stock": True, "price": {"lte": 80}, **({"category": category} if category else {})}},
        ),
        (f"products like {first['product_id']}", {"product_id": first["product_id"], "limit": 5}),
    ]


def _what_next(url: str) -> str:
    return (
        f"The server goes on at [bold]{url}[/bold] (reference: {url}/docs). In another terminal:\n"
        '  .venv/bin/shelfsight search "blue mug" --html results.html\n'
        "  .venv/bin/shelfsight search path/to/photo.jpg --max-price 50\n"
        "Ctrl-C stops it; the data stays."
    )


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
