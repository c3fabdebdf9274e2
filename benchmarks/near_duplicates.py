"""How near a picture is to itself saved anew, and how near other products' are: `python -m benchmarks.near_duplicates`
(part of `make bench-words`). Beside that, how often the best matches' vote names the right category.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from backend.domain.picture import Pixels, Vectors
from backend.domain.query import Match
from backend.domain.ranking import DUPLICATE, VOTERS, vote_of
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from benchmarks.encoder_quality import CLOTHING, read_catalog
from benchmarks.words_data import CACHE, Shelf, clothing, demo, encoder

PICTURES = 120
THRESHOLDS = (0.94, 0.96, DUPLICATE, 0.98)
_READER = PillowReader(PictureLimits())


@dataclass(frozen=True)
class Anew:
    """A way to save a picture again: `cut` of each side, `scale` of what is left."""

    name: str
    quality: int
    scale: float = 1.0
    cut: float = 0.0

    def pixels(self, path: Path, side: int) -> Pixels:
        picture = Image.open(path).convert("RGB")
        left, top = int(picture.width * self.cut), int(picture.height * self.cut)
        picture = picture.crop((left, top, picture.width - left, picture.height - top))
        picture = picture.resize((int(picture.width * self.scale), int(picture.height * self.scale)))
        saved = io.BytesIO()
        picture.save(saved, "JPEG", quality=self.quality)
        return _READER.decode(saved.getvalue(), side)


WAYS = (Anew("JPEG quality 60", 60), Anew("cut by 2 %", 80, cut=0.02), Anew("half as wide", 80, scale=0.5))


def report(shelf: Shelf, paths: Sequence[Path], console: Console) -> None:
    vectors: Vectors = np.concatenate([np.array(each, np.float32) for each in shelf.vectors])
    owners = np.repeat(np.arange(len(shelf.products)), [len(each) for each in shelf.vectors])
    table = Table("", "median", *(f"from {it:g}" for it in THRESHOLDS), title=f"{shelf.name}: cosines of pictures")
    drawn = np.random.default_rng(1).choice(len(vectors), PICTURES, replace=False)
    embed = encoder()
    for way in WAYS:
        pixels = [way.pixels(paths[place], embed.picture_side) for place in drawn.tolist()]
        _row(table, f"itself, {way.name}", (embed.embed_images(pixels) * vectors[drawn]).sum(axis=1))
    scores = vectors @ vectors.T
    scores[owners[:, None] == owners[None, :]] = -1.0
    _row(table, "the nearest of another product", scores.max(axis=1))
    console.print(table)


def _row(table: Table, name: str, cosines: NDArray[np.float32]) -> None:
    shares = (f"{(cosines >= it).mean():.3f}" for it in THRESHOLDS)
    table.add_row(name, f"{np.median(cosines):.3f}", *shares)


def votes(shelf: Shelf, console: Console) -> None:
    """The clothing set's test pictures against the others."""
    asked = read_catalog().is_query
    vectors: Vectors = np.concatenate([np.array(each, np.float32) for each in shelf.vectors])
    categories = np.array([it.category for it in shelf.products])
    best = np.argsort(-(vectors[asked] @ vectors[~asked].T), axis=1)[:, :VOTERS]
    found = [
        vote_of([Match(str(place), 0.0, "", {"category": category}) for place, category in enumerate(row.tolist())])
        for row in categories[~asked][best]
    ]
    right = np.array(
        [vote is not None and vote.category == it for vote, it in zip(found, categories[asked], strict=True)]
    )
    sure = np.array([vote is not None and vote.share > 0.7 for vote in found])
    console.print(
        f"predicted category: right for {right.mean():.3f} of {len(right)} test pictures; "
        f"for {right[sure].mean():.3f} of the {sure.mean():.2f} with a share above 0.7"
    )


def main() -> None:
    console = Console(width=120)
    worn, drawn = clothing(), demo()
    report(worn, read_catalog(CLOTHING).paths, console)
    with (CACHE / "demo" / "catalog.csv").open(encoding="utf-8", newline="") as file:
        names = [name for row in csv.DictReader(file) for name in row["images"].split("|")]
    report(drawn, [CACHE / "demo" / name for name in names], console)
    votes(worn, console)


if __name__ == "__main__":
    main()
