"""The numbers a vector's meaning depends on, in one place, so that the fingerprint can cover all of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a vector is put together: [ what it looks like | which class it resembles | its colours ].

    The three parts of a picture's vector have unit length before they are scaled by the root of their energy; the
    energies sum to 1, so the whole has unit length by construction. Words have no looks: their first part is zero.
    Chosen by measurement (benchmarks/encoder_quality.py repeats it); changing any of them makes a new vector space.
    """

    version: int = 2
    """Raise it when a change of the code (not of the numbers below) changes vectors."""

    side: int = 260
    """Pixels a side that EfficientNet-lite2 was trained on (upstream's own table of the lite family)."""

    crop: float = 0.875
    """Share of the short side that is kept around the middle: products fill the middle, and so were the photos the
    network was trained on cropped. Against the whole picture it helps fine classes and costs nothing."""

    pixel_mean: float = 127.0
    pixel_scale: float = 128.0
    """The lite family's preprocessing: (value - 127) / 128, the same for all three channels."""

    looks_dimensions: int = 245
    """1,280 features projected on the 245 directions in which the classes differ most. With 256 and 11 it makes 512,
    the size of CLIP ViT-B/32, so that an index costs the same with either encoder."""

    class_dimensions: int = 256
    """The space of classes, where pictures and words meet."""

    looks_energy: float = 0.65
    class_energy: float = 0.15
    colour_energy: float = 0.20
    """Shares of a picture's squared length. More colour finds the same red better and the same garment worse."""

    class_amplitude: float = 1.0
    colour_amplitude: float = 0.7
    """Lengths of the parts of a text's vector before it is scaled to 1: .7 lets a colour word reorder garments of the
    wanted kind without bringing other red things above them."""

    temperature: float = 0.05
    """Of the softmax over the known phrases. .03 to .07 measure alike; larger blurs a listed phrase, smaller ignores
    the neighbours of an unlisted one."""

    head_share: float = 0.5
    """Of a text's classes, how much its last listed phrase decides; the other half is left to what sounds alike."""

    @property
    def dimension(self) -> int:
        """Length of a vector: the three parts side by side."""
        return self.looks_dimensions + self.class_dimensions + len(COLOUR_NAMES)


COLOUR_NAMES = (
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
)  # fmt: skip
"""The eleven basic colour terms of English (Berlin and Kay, Basic Color Terms, 1969), in the order of the vector."""

RECIPE = Recipe()
