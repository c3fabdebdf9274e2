"""A bell that counts its rings."""


class FakeDoorbell:
    """See `backend.ports.Doorbell`. `down` makes it silent, as a broker that is down does."""

    def __init__(self) -> None:
        self.product_rings = 0
        self.import_rings = 0
        self.down = False

    def ring_products(self) -> None:
        self.product_rings += not self.down

    def ring_imports(self) -> None:
        self.import_rings += not self.down

    def reachable(self) -> bool:
        return not self.down
