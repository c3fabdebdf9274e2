"""Build a shard's segments anew, in a process of its own: `python -m backend.vectors.edge_build FOLDER …`.

The engine holds Python's lock while it builds, 340 s for a graph of 300,000 points. Here that stops nobody. The folder
is a copy that nobody else has open; what becomes of it when this process is killed, whoever made the copy decides.
"""

import argparse
import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import qdrant_edge

from backend import errors
from backend.vectors.edge_parts import build_in_parts, is_divided
from backend.vectors.edge_shard import asked, flat_config, graph_config, number_index

NOTHING_TO_DO = 3
"""Exit status: the segments are as they should be."""
NICENESS = 10
"""Searches and the encoder go first; on an idle machine it is as fast as otherwise."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build. `number_fields`: to get an index. The rest: see `backend.vectors.edge_limits.GrowthLimits`."""

    folder: Path
    dimension: int
    graph: bool
    indexed_kb: int
    scan_points: int
    parts: int
    number_fields: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """As a process of its own, which ends with this one."""
        return [
            *(sys.executable, "-m", "backend.vectors.edge_build", str(self.folder)),
            *("--dimension", str(self.dimension), "--indexed-kb", str(self.indexed_kb), "--parent", str(os.getpid())),
            *("--scan-points", str(self.scan_points), "--parts", str(self.parts)),
            *(("--graph",) if self.graph else ()),
            *(f"--number-field={name}" for name in self.number_fields),
        ]


def build(plan: Plan) -> bool:
    """Whether anything was to be built. Raises `IndexUnavailable`."""
    dimension, indexed_kb = plan.dimension, plan.indexed_kb
    config = flat_config(dimension, indexed_kb)
    if plan.graph:
        config = graph_config(dimension, indexed_kb, plan.scan_points, plan.parts)
    shard = asked(qdrant_edge.EdgeShard.load, str(plan.folder), config)
    for name in plan.number_fields:
        asked(shard.update, number_index(name))
    built = True
    if plan.graph and plan.parts > 1 and not is_divided(shard, plan.parts):
        build_in_parts(shard, plan.parts, plan.folder.parent)
    else:
        built = asked(shard.optimize) or bool(plan.number_fields)
        asked(shard.flush)  # only now are the former segments' files removed
    asked(shard.close)
    return built


def main() -> None:
    """Read the command line, build, and say how it went by the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dimension", type=int, required=True)
    parser.add_argument("--indexed-kb", type=int, required=True)
    parser.add_argument("--scan-points", type=int, required=True)
    parser.add_argument("--parts", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--number-field", action="append", default=[])
    given = parser.parse_args()
    os.nice(NICENESS)
    _end_with(given.parent)
    try:
        sizes = given.indexed_kb, given.scan_points, given.parts
        plan = Plan(given.folder, given.dimension, given.graph, *sizes, tuple(given.number_field))
        built = build(plan)
    except errors.IndexUnavailable as err:
        sys.exit(err.detail)
    sys.exit(0 if built else NOTHING_TO_DO)


def _end_with(parent: int) -> None:
    """Be killed when the parent ends: the copy is of use to nobody then.

    By the kernel (prctl(2)), since no thread of ours runs while the engine builds. Where there is none such, it builds
    to the end in a folder the next start has removed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        sys.exit("nobody waits for this build any more")


if __name__ == "__main__":
    main()
