"""Filling and asking one engine, each in a process of its own, so that neither's memory is counted with the other's."""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.search_data import Catalog, opened
from benchmarks.search_engines import DEFAULT, Edge, Engine, Exact, Setting, Task
from benchmarks.search_lance import Lance
from benchmarks.search_questions import CATEGORY, Judge, Question, Questions
from benchmarks.search_rivals import Chroma, QdrantLocal

ENGINES: Mapping[str, type[Engine]] = {kind.name: kind for kind in (Edge, Exact, Lance, Chroma, QdrantLocal)}

ROUNDS = 3
"""Times each question of a class is asked."""
SECONDS = 10.0
"""A class ends after so long, with all its questions asked or not."""
FEWEST = 20
TUNED_WITH = 40
REFERENCE_QUESTIONS = 40
WARM_UP = 5


@dataclass(frozen=True)
class Filled:
    """Wall and processor seconds of storing and of building; bytes on the disk."""

    fill_seconds: float
    fill_cpu: float
    finish_seconds: float
    finish_cpu: float
    disk_bytes: int


@dataclass(frozen=True)
class Answered:
    """One class of filters. Milliseconds; `cpu` is of processor time a question, over all threads.

    `reference`: p50 of the exact product for the same questions in the same minute.
    """

    setting: Setting
    p50: float
    p95: float
    p99: float
    cpu: float
    near: float
    words: float
    asked: int
    reference: float


@dataclass(frozen=True)
class Done:
    """One of `search_tasks`, in milliseconds. `found`: how many products or values, on average."""

    p50: float
    p95: float
    cpu: float
    found: float
    asked: int


@dataclass(frozen=True)
class Served:
    """What asking took. Memory is what the process grew by: in all, and what the system cannot take back."""

    open_seconds: float
    resident_bytes: int
    anonymous_bytes: int
    classes: Mapping[str, Answered]
    tasks: Mapping[str, Done]


def fill(name: str, data: Path, folder: Path) -> Filled:
    """Store and build, from nothing."""
    engine = ENGINES[name](opened(data), folder)
    fill_seconds, fill_cpu = _seconds(engine.fill)
    finish_seconds, finish_cpu = _seconds(engine.finish)
    disk = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    return Filled(fill_seconds, fill_cpu, finish_seconds, finish_cpu, disk)


def serve(name: str, data: Path, folder: Path, questions: Questions, floor: Mapping[str, float]) -> Served:
    """Open and ask everything. `floor`: the recall to reach per class, where the engine can be tuned."""
    catalog = opened(data)
    engine, judge = ENGINES[name](catalog, folder), Judge(catalog, data / "scores.npy")
    before = memory_now()
    open_seconds, _ = _seconds(engine.open)
    for group in questions.classes.values():
        for question in group[:WARM_UP]:
            engine.find(questions.vector(question), question.wanted, engine.settings[-1])
    after = memory_now()
    reference = _reference(engine, catalog)
    try:
        classes = {
            title: _answered(engine, reference, judge, questions, group, floor.get(title, 0.0))
            for title, group in questions.classes.items()
        }
        tasks = {title: _done(task, questions) for title, task in engine.tasks().items()}
    finally:
        engine.close()
    resident, anonymous = (now - then for now, then in zip(after, before, strict=True))
    return Served(open_seconds, resident, anonymous, classes, tasks)


def _reference(engine: Engine, catalog: Catalog) -> Engine:
    if isinstance(engine, Exact):
        return engine
    reference = Exact(catalog, Path())
    reference.open()
    return reference


def _answered(
    engine: Engine, reference: Engine, judge: Judge, questions: Questions, group: Sequence[Question], floor: float
) -> Answered:
    setting = _chosen(engine, judge, questions, group[:TUNED_WITH], floor)

    def ask(question: Question) -> list[str]:
        return engine.find(questions.vector(question), question.wanted, setting)

    for question in group[:WARM_UP]:
        ask(question)
    answers: dict[int, list[str]] = {}
    times, processor, begun = list[float](), time.process_time(), time.perf_counter()
    for question in cycle(group):
        started = time.perf_counter()
        answer = ask(question)
        times.append((time.perf_counter() - started) * 1e3)
        answers.setdefault(question.row, answer)
        enough = len(times) >= ROUNDS * len(group) or time.perf_counter() - begun > SECONDS
        if enough and len(times) >= FEWEST:
            break
    cpu = (time.process_time() - processor) * 1e3 / len(times)
    right = {
        kind: [judge.recall(q, answers[q.row]) for q in group if q.kind == kind and q.row in answers]
        for kind in ("near", "words")
    }
    p50, p95, p99 = (float(np.percentile(times, part)) for part in (50, 95, 99))
    return Answered(
        setting,
        p50,
        p95,
        p99,
        cpu=cpu,
        near=float(np.mean(right["near"])),
        words=float(np.mean(right["words"])),
        asked=len(times),
        reference=_median(reference, questions, group[:REFERENCE_QUESTIONS]),
    )


def _done(task: Task, questions: Questions) -> Done:
    """Asked with the words, and under the categories, that all engines are asked with."""
    wanted = [question.wanted for question in questions.classes[CATEGORY]]
    times, found, processor, begun = list[float](), list[int](), time.process_time(), time.perf_counter()
    for row in cycle(range(len(wanted))):
        started = time.perf_counter()
        found.append(task(questions.vectors[row], questions.texts[row], wanted[row]))
        times.append((time.perf_counter() - started) * 1e3)
        if len(times) >= FEWEST and (len(times) >= len(wanted) or time.perf_counter() - begun > SECONDS):
            break
    cpu = (time.process_time() - processor) * 1e3 / len(times)
    p50, p95 = (float(np.percentile(times, part)) for part in (50, 95))
    return Done(p50, p95, cpu, float(np.mean(found)), len(times))


def _chosen(engine: Engine, judge: Judge, questions: Questions, group: Sequence[Question], floor: float) -> Setting:
    """The fastest setting that finds enough; else the one that finds most."""
    if len(engine.settings) == 1:
        return engine.settings[0]
    tried: list[tuple[float, float, Setting]] = []
    for setting in engine.settings:
        recalls, times = list[float](), list[float]()
        for question in group:
            started = time.perf_counter()
            answer = engine.find(questions.vector(question), question.wanted, setting)
            times.append(time.perf_counter() - started)
            recalls.append(judge.recall(question, answer))
        # The lower quartile: whatever else runs on the machine only adds.
        tried.append((float(np.mean(recalls)), float(np.percentile(times, 25)), setting))
    enough = [(taken, setting) for found, taken, setting in tried if found >= floor]
    if enough:
        return min(enough, key=lambda pair: pair[0])[1]
    return max(tried, key=lambda triple: (triple[0], -triple[1]))[2]


def _median(engine: Engine, questions: Questions, group: Sequence[Question]) -> float:
    times = []
    for question in group:
        started = time.perf_counter()
        engine.find(questions.vector(question), question.wanted, DEFAULT)
        times.append((time.perf_counter() - started) * 1e3)
    return float(np.median(times))


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of processor time, that of processes it ran included."""
    clock, processor = time.perf_counter(), _processor()
    work()
    return time.perf_counter() - clock, _processor() - processor


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def memory_now() -> tuple[int, int]:
    """Resident bytes of this process, and how many of them are anonymous (Linux)."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resident, anonymous = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))
    return resident, anonymous
