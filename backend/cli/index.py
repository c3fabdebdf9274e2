"""Commands about the index: whether its searches find what exact ones find."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from backend.cli.told import told
from backend.errors import Misconfigured
from backend.settings import load_settings
from backend.usecases.check_index import LEAST_RECALL, SAMPLE

app = typer.Typer(help="The index of the running server.", no_args_is_help=True)
console = Console()

EXIT_MISSES = 1


@app.callback()
def about() -> None:
    """The index of the running server."""


@app.command()
def check(
    products: Annotated[int, typer.Option(min=1, max=100, help="Products to try, drawn at random.")] = SAMPLE,
    least: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Recall@10 every filter must reach; below, the exit status is 1.")
    ] = LEAST_RECALL,
    url: Annotated[
        str | None, typer.Option(help="Address of a running server; without it the one of the data directory.")
    ] = None,
    merchant: Annotated[str, typer.Option(help="Whose catalog.")] = "default",
) -> None:
    """Compare searches with exact ones, under the filters shoppers use: recall@10 of each."""
    from backend.cli.client import Api, announced

    with told():
        settings = load_settings()
        address = url or announced(settings.data_dir)
        if address is None:
            raise Misconfigured(f"no server runs on {settings.data_dir}; start one with `shelfsight serve`")
        with Api(address, key=settings.platform_key(), merchant=merchant) as api:
            found = api.check_index(products)
    if not found["filters"]:
        console.print(f"{merchant} has no pictures in the index: nothing was compared.")
        return
    console.print(_table(found))
    if found["recall"] < least:
        raise typer.Exit(EXIT_MISSES)


def _table(found: dict[str, Any]) -> Table:
    table = Table("filter", "searches", "recall@10", "of the worst", title=f"{found['points']} pictures")
    for row in found["filters"]:
        table.add_row(row["filter"], str(row["searches"]), f"{row['recall']:.3f}", f"{row['least']:.3f}")
    return table
