"""`shelfsight reindex`: build an index for another encoder while the old one serves, compare, switch, and go back.

A process of its own that holds the new index. Everything it has to remember stands in the catalog, so it may be killed
at any moment; the same command goes on from there. In the embedded mode the server is the only one that may open the
index it serves: then this process lets go of the new one, says that it is ready, and waits until the server serves it.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backend.bootstrap import Workshop, open_workshop
from backend.cli.client import Api, announced
from backend.cli.generations import (
    POLL_SECONDS,
    alone,
    clean_up,
    clear_place,
    described,
    opened_when_free,
    resumed,
    serving_space,
    taken_over,
    tell_it_serves,
    tell_of_setting,
)
from backend.cli.golden import answered_by, asked_over_http, read_golden
from backend.cli.supervisor import hold
from backend.domain.generation import Generation, IndexState
from backend.errors import DataDirectoryInUse, IndexUnavailable, Misconfigured
from backend.opening import Truth, load_embedder, open_catalog, open_generation, open_with, places_of, warm_up
from backend.settings import Settings
from backend.usecases.build_index import BuildIndex
from backend.usecases.compare_indexes import Answers, compare_indexes, sampled
from backend.usecases.served_index import ServedIndex

NICENESS = 10
"""Searches of the server come first; on a machine that has nothing else to do this costs nothing."""

WORSE = 0.02
"""Precision at ten that may be lost without another word: one answer in fifty may be an accident of the sample."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller said. `golden`: a file of questions instead of `sample` products drawn from the catalog."""

    sample: int
    golden: Path | None
    merchant: str
    switch: bool
    even_if_worse: bool


def reindex(settings: Settings, model: str, console: Console, wishes: Wishes) -> bool:
    """Build, compare and switch. Whether the new index serves; else it waits for another word."""
    with alone(settings):
        truth = open_catalog(settings)
        clean_up(settings, truth)
        serving = serving_space(settings, truth)
        begun = time.monotonic()
        embedder, choice = load_embedder(settings, model, None)
        warm_up(embedder)
        loading = time.monotonic() - begun
        tell_of_setting(settings, embedder.space.model, console)
        generation = resumed(settings, truth, embedder.space) or truth.indexes.begin(embedder.space, serving)
        if _ready(generation) and taken_over(settings, truth, generation, console):
            return True
        console.print(
            f"building the index for {generation.model} ({generation.dimension} dimensions): generation "
            f"{generation.number}, {generation.total} products{', going on' if generation.done else ''}"
        )
        clear_place(settings, generation)
        served = opened_when_free(
            partial(open_with, settings, generation.number, embedder, choice.reason, beside=False)
        )
        with _Work(settings, truth, served, console, loading) as work:
            del embedder, served  # whoever serves loads its own, and may need the room
            generation = work.build(generation)
            return not work.refuses(generation, wishes) and work.switch(generation)


def rollback(settings: Settings, console: Console) -> None:
    """Let the index that served before serve again, with everything written since."""
    with alone(settings):
        truth = open_catalog(settings)
        clean_up(settings, truth)
        former = [it for it in truth.indexes.generations() if it.served_at and it.state is not IndexState.SERVING]
        if not former or places_of(settings).stored_space(former[-1].number) is None:
            raise Misconfigured("no former index is kept: there is nothing to go back to")
        generation = former[-1]
        if _ready(generation) and taken_over(settings, truth, generation, console):
            return
        tell_of_setting(settings, generation.model, console)
        console.print(f"going back to {generation.model}: generation {generation.number}")
        begun = time.monotonic()
        served = opened_when_free(partial(open_generation, settings, generation, beside=False))
        with _Work(settings, truth, served, console, time.monotonic() - begun) as work:
            del served
            work.switch(work.build(generation))


def _ready(generation: Generation) -> bool:
    """Whether an earlier command left it to a server; what that could not open before is tried again."""
    return generation.state is IndexState.READY


class _Work:
    """One generation in hand. Closes what it opened."""

    def __init__(
        self, settings: Settings, truth: Truth, served: ServedIndex, console: Console, loading_seconds: float
    ) -> None:
        self._settings = settings
        self._truth = truth
        self._console = console
        self._loading_seconds = loading_seconds
        self._workshop: Workshop = open_workshop(settings, truth)
        self._in_hand: ServedIndex | None = served
        self._builder: BuildIndex | None = None
        self._mine = ExitStack()
        self._alone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._let_go()
        self._workshop.close()
        self._mine.close()

    @property
    def _served(self) -> ServedIndex:
        """The new index; None is in hand only while a server has it."""
        if self._in_hand is None:
            raise IndexUnavailable("the server has the new index")
        return self._in_hand

    @property
    def _build(self) -> BuildIndex:
        """One for each opening: it remembers what it looked at."""
        self._builder = self._builder or self._workshop.build_index(self._served)
        return self._builder

    def _let_go(self) -> None:
        """Of the new index and its encoder, so that both are in memory once when a server loads them."""
        if self._in_hand is not None:
            self._in_hand.vectors.close()
        self._in_hand = self._builder = None
        gc.collect()

    def build(self, generation: Generation) -> Generation:
        """Fill it, from its place on, and catch up once: the rest is the switch's."""
        place = self._served.place(generation)
        self._truth.indexes.record(place)
        self._served.accept_loss()
        pace = TextColumn("{task.fields[pace]}")
        columns = (TextColumn("products"), BarColumn(), MofNCompleteColumn(), pace, TimeRemainingColumn())
        with Progress(*columns, console=self._console) as shown:
            task = shown.add_task("", total=place.total or None, completed=place.done, pace="")
            begun, from_done = time.monotonic(), place.done

            def tell(now: Generation) -> None:
                per_second = (now.done - from_done) / max(time.monotonic() - begun, 0.001)
                shown.update(task, completed=now.done, total=now.total, pace=f"{per_second:.0f}/s")

            if not place.filled:
                place = self._build.fill(place, tell)
            place, told = self._build.catch_up(place, tell)
        self._console.print(f"{place.done} products were read; {told} that were written meanwhile are followed")
        if place.gaps:
            self._console.print(f"{len(place.gaps)} products have a picture that cannot be read any more")
        return place

    def refuses(self, generation: Generation, wishes: Wishes) -> bool:
        """Compare, and say whether to stop here: it was asked for, or the new index finds less."""
        golden = (
            read_golden(wishes.golden, wishes.merchant)
            if wishes.golden
            else sampled(self._truth.catalog, self._truth.indexes, wishes.sample)
        )
        with self._old_answers() as old:
            compared = compare_indexes(old, answered_by(self._workshop.services(self._served)), golden)
        self._truth.indexes.record(replace(generation, comparison=compared.as_numbers()))
        self._console.print(described(compared))
        if not wishes.switch:
            self._console.print("It does not serve yet; the same command without --no-switch goes on.")
            return True
        worse = compared.labelled > 0 and compared.after < compared.before - WORSE and not wishes.even_if_worse
        if worse:
            self._console.print("It finds less, so the old index goes on; --even-if-worse switches all the same.")
        return worse

    def switch(self, generation: Generation) -> bool:
        """Let it serve: here where nobody serves, or where a Qdrant server holds the indexes; else in the process that
        serves, which is the only one that may open an embedded index.
        """
        if not self._settings.embedded:
            self._truth.indexes.announce(generation.number)
            # The processes that serve see it within a second, and load its encoder about as long as it took here.
            time.sleep(1.5 * self._loading_seconds + 2.0)
        while self._settings.embedded and not self._nobody_serves():
            self._let_go()
            self._workshop.places.settle(generation.number)
            self._truth.indexes.announce(generation.number)
            if taken_over(self._settings, self._truth, generation, self._console):
                return True
            self._in_hand = opened_when_free(partial(open_generation, self._settings, generation, beside=False))
            generation = self._served.place(generation)
            if not generation.filled:
                raise IndexUnavailable("the new index lost points; run the same command again")
        if self._alone:  # whoever held a product is gone
            self._truth.ledger.return_leases(expired_only=False)
        self._workshop.switch_index(self._build, generation, lambda _: None)
        self._served.accept_loss()
        tell_it_serves(self._settings, self._truth, generation, self._console)
        return True

    @contextmanager
    def _old_answers(self) -> Iterator[Answers]:
        """Of the server that runs here, or of the old index itself where nobody else has it open."""
        if self._settings.embedded and not self._nobody_serves():
            url = announced(self._settings.data_dir)
            if url is None:
                raise IndexUnavailable("the server went away; run the same command again")
            with asked_over_http(url, self._settings.platform_key()) as answers:
                yield answers
            return
        serving = next(it for it in self._truth.indexes.generations() if it.state is IndexState.SERVING)
        old = open_generation(self._settings, serving, beside=False)
        try:
            yield answered_by(self._workshop.services(old))
        finally:
            old.vectors.close()

    def _nobody_serves(self) -> bool:
        """Whether no server has the data directory; then none gets it until this is done. Waits for one that starts."""
        while not self._alone:
            try:
                self._mine.enter_context(hold(self._settings.data_dir))
                self._alone = True
            except DataDirectoryInUse:
                url = announced(self._settings.data_dir)
                if url is not None:
                    with Api(url, key=None, merchant="default") as probe:
                        if probe.alive():
                            return False
                time.sleep(POLL_SECONDS)
        return True
