"""A bell that remembers its rings."""

from backend.domain.work import Work


class FakeDoorbell:
    """See `backend.ports.Doorbell`. `down` makes it silent, as a broker that is down does.

    `rings`: the work of every ring for products, in order. `import_rings`: how often it rang for imports.
    """

    def __init__(self) -> None:
        self.rings: list[Work] = []
        self.import_rings = 0
        self.down = False

    def ring(self, work: Work) -> None:
        if not self.down:
            self.rings.append(work)

    def ring_imports(self) -> None:
        self.import_rings += not self.down

    def reachable(self) -> bool:
        return not self.down
