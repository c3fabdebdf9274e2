"""The demo catalog on disk: pictures and a CSV that the importer reads like any merchant's."""

import csv
import json
import shutil
import tempfile
from pathlib import Path

from backend.demo.assortment import demo_products
from backend.demo.drawing import draw
from backend.demo.product import DemoProduct
from backend.errors import BlobsUnavailable, Misconfigured

VERSION = 1
"""Raised when the drawings or the list change, so that an older catalog is written anew."""

MARKER = "demo-catalog.json"
CSV_NAME = "catalog.csv"
JPEG_QUALITY = 88
"""Shop pictures are usually saved between 80 and 90; 480 pixels come to about 20 kB."""

COLUMNS = (
    "product_id", "title", "category", "brand", "price", "currency", "in_stock", "images", "attributes.color",
    "attributes.pattern", "attributes.material",
)  # fmt: skip


def write_catalog(folder: Path, seed: int = 7, count: int = 300) -> Path:
    """Write the demo catalog into `folder`; the CSV's path. A complete one of the same seed, count and version stays.

    The catalog is built beside the folder and moved in at the end: a catalog cut short is never taken for a whole one.
    Raises `Misconfigured` when the folder holds something else, `InvalidField` for an impossible count, and
    `BlobsUnavailable` when the disk refuses.
    """
    folder = folder.resolve()
    marker = json.dumps({"version": VERSION, "seed": seed, "count": count}, sort_keys=True)
    products = demo_products(seed, count)
    if _is_complete(folder, marker, products):
        return folder / CSV_NAME
    if folder.exists() and not (folder / MARKER).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misconfigured(f"{folder} holds other files; choose an empty folder for the demo catalog")
    try:
        _build(folder, products, marker)
    except OSError as err:
        raise BlobsUnavailable(f"the demo catalog cannot be written to {folder}: {err}") from err
    return folder / CSV_NAME


def _build(folder: Path, products: list[DemoProduct], marker: str) -> None:
    """Write everything into a sibling of the folder, then move it in; nothing is left behind when that fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(building, products)
        (building / MARKER).write_text(marker, encoding="utf-8")
        building.chmod(0o755)  # mkdtemp makes it private; a server under another account must read the pictures
        _move_in(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _is_complete(folder: Path, marker: str, products: list[DemoProduct]) -> bool:
    """Whether the folder is this very catalog and nobody has taken a file away since."""
    found = folder / MARKER
    if not found.is_file() or found.read_text(encoding="utf-8") != marker:
        return False
    names = [CSV_NAME, *(name for product in products for name in _picture_names(product))]
    return all((folder / name).is_file() for name in names)


def _picture_names(product: DemoProduct) -> list[str]:
    """Where a product's pictures lie, from the CSV's own folder."""
    return [f"pictures/{product.product_id.lower()}-{view + 1}.jpg" for view in range(len(product.views))]


def _write(folder: Path, products: list[DemoProduct]) -> None:
    """All pictures, then the CSV that names them."""
    (folder / "pictures").mkdir()
    with (folder / CSV_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for product in products:
            for view, name in enumerate(_picture_names(product)):
                draw(product, view).save(folder / name, quality=JPEG_QUALITY)
            writer.writerow(_row(product))


def _row(product: DemoProduct) -> tuple[str, ...]:
    return (
        product.product_id, product.title, product.category, product.brand, str(product.price), product.currency,
        "true" if product.in_stock else "false", "|".join(_picture_names(product)), product.attributes["color"],
        product.attributes["pattern"], product.attributes["material"],
    )  # fmt: skip


def _move_in(building: Path, folder: Path) -> None:
    """Put the finished catalog in place of an older or empty one; the older one comes back if that fails."""
    if not folder.exists():
        building.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    try:
        folder.rename(old / "catalog")
        try:
            building.rename(folder)
        except OSError:
            (old / "catalog").rename(folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
