"""The commands. Each reads its arguments, calls one function, and turns our errors into one line and an exit status."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backend.cli import index as index_commands
from backend.cli import model as model_commands
from backend.cli.backup import backup, restore
from backend.cli.migrate import migrate
from backend.cli.search import search
from backend.cli.told import told
from backend.domain.importing import ImportMode
from backend.errors import Misconfigured
from backend.settings import load_settings

app = typer.Typer(help="Self-hosted product image search.", no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(model_commands.app, name="model")
app.add_typer(index_commands.app, name="index")
app.command()(search)
app.command()(backup)
app.command()(restore)
app.command()(migrate)
console = Console()

Url = Annotated[str | None, typer.Option(help="Address of a running server; without it the one of the data directory.")]
Merchant = Annotated[str, typer.Option(help="Whose catalog.")]

EXIT_FAILED_ROWS = 1


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Run everything on this machine: API, worker, index and broker. Ctrl-C stops it."""
    import os

    from backend.cli.supervisor import Supervisor

    with told():
        for name, value in (("SHELFSIGHT_SERVER__HOST", host), ("SHELFSIGHT_SERVER__PORT", port)):
            if value is not None:
                os.environ[name] = str(value)
        settings = load_settings()
        settings.door_key()
        raise typer.Exit(Supervisor(settings, lambda line: console.print(line, highlight=False, markup=False)).run())


@app.command()
def worker() -> None:
    """Run a worker of its own (server mode: Qdrant, a broker and a catalog that are servers)."""
    import os
    import sys

    from backend.cli.supervisor import QUIET_THREADS

    os.environ.update(QUIET_THREADS)
    os.execv(sys.executable, [sys.executable, "-m", "workers.standalone"])  # noqa: S606 - our own command


@app.command()
def demo(
    catalog: Annotated[Path | None, typer.Option(help="A CSV of your own instead of the drawn catalog.")] = None,
    stay: Annotated[bool, typer.Option(help="Keep serving until Ctrl-C.")] = True,
) -> None:
    """Start everything, load a demo catalog, search three times, and keep serving."""
    from backend.cli.demo import demo as run

    with told():
        run(load_settings(), catalog, console, stay=stay)


@app.command()
def ingest(
    catalog: Annotated[
        Path, typer.Argument(help="A CSV, TSV, JSON, JSON lines, RSS or ZIP file; see docs/imports.md.")
    ],
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="A field and the file's column for it: title=name. Repeat.")
    ] = None,
    mode: Annotated[
        ImportMode, typer.Option(help="replace: whole products. patch: only the facts that are there, no pictures.")
    ] = ImportMode.REPLACE,
    url: Url = None,
    merchant: Merchant = "default",
) -> None:
    """Import a file of products, and wait until every row is searchable or has a reason."""
    from backend.cli.client import running
    from backend.cli.ingest import ingest as send
    from backend.cli.ingest import report

    pairs = [item.partition("=") for item in columns or ()]
    if wrong := ["".join(pair) for pair in pairs if not pair[0] or not pair[2]]:
        raise typer.BadParameter(f"{', '.join(wrong)}: write field=column", param_hint="--map")
    mapping = {name: column for name, _, column in pairs}
    with told(), running(load_settings(), url=url, merchant=merchant) as api:
        outcome = send(api, catalog, console, mode=mode, columns=mapping)
        report(outcome, console)
    if outcome.failures:
        raise typer.Exit(EXIT_FAILED_ROWS)


@app.command()
def status(url: Url = None, merchant: Merchant = "default") -> None:
    """Show counts, queue, index and encoder of the running server."""
    from backend.cli.client import Api, announced

    with told():
        settings = load_settings()
        address = url or announced(settings.data_dir)
        if address is None:
            raise Misconfigured(f"no server runs on {settings.data_dir}; start one with `shelfsight serve`")
        with Api(address, key=settings.platform_key(), merchant=merchant) as api:
            found = api.get("/v1/status")
    table = Table("part", "state", title=f"{address} (version {found['version']}, {found['mode']})")
    table.add_row("merchant", found["merchant"])
    table.add_row("products", ", ".join(f"{count} {state}" for state, count in found["products"].items()))
    recall = found["index"]["recall"]
    checked = f"; of what exact searches find, {recall['recall']:.1%} are found" if recall else ""
    table.add_row("index", f"{found['index']['points']} pictures{checked}")
    queue = found["queue"]
    table.add_row(
        "queue",
        f"{queue['products_due']} products and {queue['imports_due']} imports due, "
        f"the oldest for {queue['lag_seconds']:.0f} s; broker {queue['broker']}",
    )
    for pause in queue["paused"]:
        table.add_row("paused", Text(f"{pause['work']}: {pause['reason']}"))
    model = found["model"]
    table.add_row("encoder", f"{model['name']}, {model['dimension']} dimensions, {model['fingerprint']}")
    table.add_row("", Text(model["reason"]))
    memory = found["memory_bytes"]
    table.add_row("", Text(model["how"] + (f"; the server holds {memory / 1e6:.0f} MB" if memory else "")))
    console.print(table)


@app.command()
def doctor() -> None:
    """Examine the installation: each part is ok, or what to do about it."""
    from backend.cli.doctor import examine

    with told():
        findings = list(examine(load_settings()))
    table = Table("", "part", "found", "what to do")
    for item in findings:
        table.add_row(
            "[red]x[/red]" if item.mend else "[green]ok[/green]", item.part, Text(item.found), Text(item.mend)
        )
    console.print(table)
    if any(item.mend for item in findings):
        raise typer.Exit(1)


@app.command()
def reindex(  # noqa: PLR0917 - each option of the command is a parameter
    model: Annotated[
        str | None, typer.Option(help="The encoder to build the new index with: packaged, a hub name or a folder.")
    ] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the index that served before.")] = False,
    switch: Annotated[bool, typer.Option(help="Let it serve once it is built and compared.")] = True,
    even_if_worse: Annotated[
        bool, typer.Option("--even-if-worse", help="Switch though it finds less of the right category.")
    ] = False,
    sample: Annotated[int, typer.Option(min=1, max=10_000, help="Products both indexes are compared by.")] = 200,
    golden: Annotated[
        Path | None, typer.Option(help="Questions of your own to compare by; see docs/reindex.md.")
    ] = None,
    merchant: Merchant = "default",
) -> None:
    """Change the encoder while everything goes on: build an index, compare it, switch, or go back."""
    import os

    from backend.cli import reindex as change

    with told():
        if (model is None) == (not rollback):
            raise typer.BadParameter("give --model, or --rollback", param_hint="--model")
        os.nice(change.NICENESS)
        settings = load_settings()
        if model is None:
            change.rollback(settings, console)
            return
        wishes = change.Wishes(sample, golden, merchant, switch, even_if_worse)
        if not change.reindex(settings, model, console, wishes) and switch:
            raise typer.Exit(EXIT_FAILED_ROWS)


if __name__ == "__main__":
    app()
