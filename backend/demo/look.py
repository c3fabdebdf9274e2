"""How one product looks: the paints of its parts, and the table that names every shape's drawing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from backend.demo.materials import Paint
from backend.demo.studio import Studio


@dataclass(frozen=True, slots=True)
class Look:
    """The paints a shape is drawn with.

    `main` carries the product's colour and pattern; `second` is the other colour of two-tone products (the main colour
    again for all others, so a shape need not ask); `inside` is the lining of vessels and the cover of throw pillows.
    """

    main: Paint
    second: Paint
    inside: Paint
    two_tone: bool = False

    @property
    def plain(self) -> Paint:
        """The main paint without its pattern: for small parts, which a pattern would only confuse."""
        return self.main.plain()

    def accent(self, factor: float) -> Paint:
        """For overlays and trims: the second colour of two-tone products, a shade of the own colour on all others."""
        return self.second if self.two_tone else self.plain.tinted(factor)

    @property
    def dipped(self) -> Paint:
        """The main paint for turned wares: two-tone ones have their foot dipped in the second glaze."""
        return replace(self.main, pattern="dipped") if self.two_tone else self.main


Drawing: TypeAlias = Callable[[Studio, Look], None]
