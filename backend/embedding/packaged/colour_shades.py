"""Which shades people call by the eleven colour names, and which words they use for shades in between. Data only."""

# Real products are photographed, so each name carries its clean shade and what light, dye and shadow make of it.
SHADES: dict[str, tuple[str, ...]] = {
    # Black cloth under a flash is a dark grey to a camera, and the shadow side of it cool.
    "black": ("#000000", "#161616", "#272626", "#14161f", "#302d2c"),
    # White goods are rarely 255: indoor light warms them and folds grey them; darker than this is called grey.
    "white": ("#ffffff", "#f2f2f0", "#e6e4df", "#e0e4e8"),
    # Every 6 of lightness or so: a wider gap in the middle would let a neutral lean to taupe or sage.
    "grey": (
        "#cbcbcb", "#adadad", "#9c9c9c", "#8c8c8c", "#7b7b7b", "#6a6a6a", "#5b5b5b", "#4d4d4e", "#8b949d", "#98948d",
    ),
    # From tomato to wine: dark red is still red, where dark orange is brown.
    "red": ("#d41d28", "#b2141f", "#8c1521", "#6c1824", "#e34a44", "#a8342c"),
    "orange": ("#f6861a", "#e4690f", "#ffaa47", "#cc6226"),
    # Gold and mustard: yellow keeps its name down to about 65% lightness.
    "yellow": ("#fbdd2a", "#ffee86", "#e3bc1c", "#c8a023"),
    # The widest of the names: lime, mint, grass, bottle, olive, sage, sea green.
    "green": (
        "#2b8a3c", "#124e31", "#5c6b33", "#8dc83c", "#a0d8b0", "#568462", "#7b8666", "#3c5340", "#17846f",
    ),
    # Denim in three washes, navy in two, royal, sky, petrol and turquoise; and the screen's own blue, which Lab puts
    # nearer to violets than to any dye.
    "blue": (
        "#1d4bb5", "#17204f", "#232f42", "#2e486d", "#4a71a4", "#6e90b4", "#92bce4", "#3daedb", "#177a9f",
        "#2fbfc6", "#aec6de", "#1414ff", "#4055f5",
    ),
    "purple": ("#6b2a90", "#452059", "#a87dcb", "#8c4f98", "#5e3c60", "#c0aad9"),
    "pink": ("#ee4690", "#f9b8ca", "#e47b9b", "#cd858f", "#c6267a", "#f3958d"),
    # Wood, leather, camel; beige and tan are counted here, because eleven names leave them no other.
    "brown": ("#6d4224", "#442b1d", "#95653b", "#b38a60", "#cdaf8c", "#805446", "#5d4a38", "#97826a"),
}  # fmt: skip

# Words for colours, as shares of the eleven names. Several names share a word where people disagree about it.
COLOUR_WORDS: dict[str, dict[str, float]] = {
    **{name: {name: 1.0} for name in SHADES},
    "gray": {"grey": 1.0},
    "silver": {"grey": 1.0},
    "charcoal": {"grey": 0.6, "black": 0.4},
    "anthracite": {"grey": 0.6, "black": 0.4},
    "ebony": {"black": 1.0},
    "jet-black": {"black": 1.0},
    "off-white": {"white": 1.0},
    "ivory": {"white": 0.8, "brown": 0.2},
    "cream": {"white": 0.7, "brown": 0.3},
    "ecru": {"white": 0.5, "brown": 0.5},
    "beige": {"brown": 0.6, "white": 0.4},
    "sand": {"brown": 0.7, "white": 0.3},
    "tan": {"brown": 1.0},
    "camel": {"brown": 1.0},
    "taupe": {"brown": 0.6, "grey": 0.4},
    "chocolate": {"brown": 1.0},
    "cognac": {"brown": 0.8, "orange": 0.2},
    "bronze": {"brown": 0.7, "yellow": 0.3},
    "copper": {"brown": 0.5, "orange": 0.5},
    "rust": {"brown": 0.5, "orange": 0.5},
    "terracotta": {"brown": 0.4, "orange": 0.4, "red": 0.2},
    "khaki": {"brown": 0.5, "green": 0.5},
    "olive": {"green": 0.8, "brown": 0.2},
    "lime": {"green": 1.0},
    "mint": {"green": 1.0},
    "sage": {"green": 0.8, "grey": 0.2},
    "emerald": {"green": 1.0},
    "teal": {"blue": 0.5, "green": 0.5},
    "petrol": {"blue": 0.6, "green": 0.4},
    "turquoise": {"blue": 0.7, "green": 0.3},
    "aqua": {"blue": 0.7, "green": 0.3},
    "cyan": {"blue": 1.0},
    "azure": {"blue": 1.0},
    "cobalt": {"blue": 1.0},
    "navy": {"blue": 0.8, "black": 0.2},
    "denim": {"blue": 1.0},
    "indigo": {"blue": 0.6, "purple": 0.4},
    "violet": {"purple": 1.0},
    "lilac": {"purple": 0.9, "pink": 0.1},
    "lavender": {"purple": 1.0},
    "mauve": {"purple": 0.6, "pink": 0.4},
    "plum": {"purple": 0.8, "red": 0.2},
    "aubergine": {"purple": 0.8, "black": 0.2},
    "burgundy": {"red": 0.7, "purple": 0.2, "brown": 0.1},
    "bordeaux": {"red": 0.7, "purple": 0.2, "brown": 0.1},
    "maroon": {"red": 0.7, "brown": 0.3},
    "crimson": {"red": 1.0},
    "scarlet": {"red": 1.0},
    "ruby": {"red": 1.0},
    "magenta": {"pink": 0.6, "purple": 0.4},
    "fuchsia": {"pink": 0.8, "purple": 0.2},
    "rose": {"pink": 1.0},
    "blush": {"pink": 0.8, "white": 0.2},
    "salmon": {"pink": 0.7, "orange": 0.3},
    "coral": {"pink": 0.4, "orange": 0.3, "red": 0.3},
    "peach": {"orange": 0.6, "pink": 0.4},
    "apricot": {"orange": 1.0},
    "amber": {"orange": 0.6, "yellow": 0.4},
    "mustard": {"yellow": 0.8, "brown": 0.2},
    "ochre": {"yellow": 0.6, "brown": 0.4},
    "gold": {"yellow": 0.8, "brown": 0.2},
    "golden": {"yellow": 0.8, "brown": 0.2},
}
