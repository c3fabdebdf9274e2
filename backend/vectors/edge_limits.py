"""How the embedded index is written, and when a process of its own builds its segments anew."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GrowthLimits:
    """When a shard is built anew beside the one that serves (see `backend.vectors.edge_growth`), and at what cost.

    `graph_points`: from this size on with an HNSW graph; 0: never. Below it brute force over the codes is as fast
    under every filter, and exact; it costs no build and no memory for links.
    `scan_points`: of a shard with a graph, what a filter keeps up to here is compared whole, by codes: exact, and in
    the time of a walk. The engine counts, part by part of the shard, and does so by itself.
    `parts`: segments a shard with a graph is dealt to, on a machine with as many cores. A search takes all of them side
    by side: of what a filter keeps, each compares its share, in .7 of the time on two cores. A walk goes through each,
    which takes the processors half as much again, no longer, and finds more. More than two were not measured.
    `changed_share`, `changed_points`: built anew when so large a share of the points, or so many, were written since:
    what was written lies outside the graph (new facts move a point out of it, too), where it costs brute force.
    `fewest_changed`: below this the engine leaves them as they are, at 512 dimensions.
    `idle_seconds`: after so long without a write, a quarter of that is enough: nothing has to be caught up with.
    `journal_points`: points that may be written meanwhile; 30,000 take 190 MB (6.4 kB each at 512 dimensions) and
    some 10 s to catch up with. Beyond it the build is given up.
    `look_seconds`: how often this is looked at. `retry_seconds`: how long after a build that failed or was given up.
    `build_seconds`: a build that takes longer hangs.
    `indexed_kb`: a segment whose vectors take less stays as it is, without a graph; the engine's own default.
    """

    graph_points: int = 100_000
    scan_points: int = 30_000
    parts: int = 2
    changed_share: float = 0.2
    changed_points: int = 50_000
    fewest_changed: int = 5_000
    idle_seconds: float = 600.0
    journal_points: int = 30_000
    look_seconds: float = 30.0
    retry_seconds: float = 900.0
    build_seconds: float = 7_200.0
    indexed_kb: int = 10_000


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """The engine holds Python's lock, so whatever it does stops every thread; these numbers keep that short.

    `batch_points`: 64 stop the threads for some 5 ms; batches of 500 for 40 to 200.
    `flush_seconds`: what is written is safe from a killed process at once, and from a loss of power after this long:
    the log of it is flushed, for which nobody but writers has to wait.
    `flush_points`: after so many that only the log holds for certain, the engine flushes the rest when the disk has
    little else to do, which is when the log's flush took no longer than `calm_seconds`. Nothing else runs meanwhile: 40
    to 100 ms, most of it waiting for the disk; 1.8 s were seen on a disk that others wrote to.
    `replayed_points`: after so many it flushes anyway. They are read from the log when the index is opened, 9,000 a
    second; a build that is under way may add those of its journal.
    `optimize_points`: an index up to this size is optimized when it is opened, before anything is served: up to 5 s at
    50,000, mostly 0 (it returns at once unless 5,000 points or a fifth have changed). It makes combined filters three
    times as fast (7.6 to 2.5 ms at 50,000) and frees what was deleted. Above it a start would take longer than loading
    the encoder beside it, and a process of its own does it while the index serves. 0 leaves all to that process.
    `index_at_once_points`: up to this size an attribute whose first number comes gets its index then, in 0.3 s; beyond,
    that process makes it.
    `held_share`: of the machine's memory, what the index may take to be held there (see `backend.vectors.edge_memory`):
    a quarter of 2 GB leaves room for a server with the packaged encoder. 0: nothing is held. `held_seconds`: how
    often what was written since is looked for, in 20 ms; a page that nobody read was taken after a minute where we saw
    it.
    """

    batch_points: int = 64
    flush_seconds: float = 5.0
    flush_points: int = 5_000
    calm_seconds: float = 0.05
    replayed_points: int = 20_000
    optimize_points: int = 50_000
    index_at_once_points: int = 5_000
    held_share: float = 0.25
    held_seconds: float = 10.0
    growth: GrowthLimits = GrowthLimits()
