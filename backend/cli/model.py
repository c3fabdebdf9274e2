"""`shelfsight model`: which encoder a start would use, bringing one to a machine without internet, and trying it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from backend.cli.told import told
from backend.errors import ShelfsightError
from backend.settings import load_settings

app = typer.Typer(
    help="The encoder: which it is, a copy for a machine without internet, a check.", no_args_is_help=True
)
console = Console()

EXIT_FOUND = 1  # as `doctor`: the command did its work and found something wrong


@app.command()
def show() -> None:
    """Show what a start would use here and why, without loading it."""
    from backend.embedding.facts import facts_of
    from backend.embedding.hub import Hub
    from backend.opening import chosen_model, model_cache

    with told():
        settings = load_settings()
        choice = chosen_model(settings)
        facts = facts_of(choice.model, cache_dir=model_cache(settings), hub=Hub())
    _line("model", choice.model)
    _line("why", choice.reason)
    _line("where", facts.where)
    if facts.fingerprint is not None:
        _line("size", _megabytes(facts.size_bytes))
        _line("dimension", facts.dimension or "known once it is loaded: `shelfsight model check`")
        _line("fingerprint", facts.fingerprint)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A CLIP model on the hub, such as clip-ViT-B-32.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for it.")],
) -> None:
    """Bring a model of the hub into a folder that can be copied to a machine without internet."""
    from backend.embedding.facts import facts_of_folder
    from backend.embedding.hub import Hub
    from backend.embedding.pulling import pull as bring
    from backend.embedding.pulling import pull_refusal

    refusal = pull_refusal(name, folder)
    if refusal is not None:
        raise typer.BadParameter(refusal)
    with told():
        bring(name, folder, Hub())
        facts = facts_of_folder(folder.resolve())
    _line("folder", facts.where)
    _line("size", _megabytes(facts.size_bytes))
    _line("fingerprint", facts.fingerprint)
    _line("next", f"copy the folder to the other machine and set SHELFSIGHT_MODEL={facts.where} (its path there)")


@app.command()
def check(
    model: Annotated[str | None, typer.Argument(help="A name or a folder; without it what a start would use.")] = None,
) -> None:
    """Load an encoder and try it on a few pictures and texts."""
    from backend.opening import load_embedder, stored_space

    try:
        settings = load_settings()
        embedder, choice = load_embedder(settings, model or settings.model, None if model else stored_space(settings))
        from backend.embedding.checking import check as examine  # torch comes with it: a wrong name is refused before

        seconds = examine(embedder)
    except ShelfsightError as err:
        Console(stderr=True).print(Text(err.detail.replace("\n", " "), style="red"), soft_wrap=True)
        raise typer.Exit(EXIT_FOUND) from None
    _line("model", choice.model)
    _line("why", choice.reason)
    _line("dimension", embedder.space.dimension)
    _line("fingerprint", embedder.space.fingerprint)
    _line("computes with", embedder.how)
    _line("one picture", f"{seconds.picture:.3f} s")
    _line("one text", f"{seconds.text:.3f} s")
    _line("vectors", "finite, of unit length, and different for different pictures and texts")


def _line(name: str, value: object) -> None:
    console.print(Text(f"{name:<14} {value}"), soft_wrap=True)


def _megabytes(size_bytes: int | None) -> str:
    return f"{(size_bytes or 0) / 1e6:.1f} MB"
