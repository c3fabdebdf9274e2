"""Our errors as lines for a person, and as exit statuses."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import typer
from rich.console import Console
from rich.text import Text

from backend.errors import Misconfigured, ShelfsightError

EXIT_ERROR = 2


@contextmanager
def told() -> Iterator[None]:
    """Around what a command does: an error of ours ends it with what is wrong and how to mend it, without a trace."""
    try:
        yield
    except ShelfsightError as err:
        _complain(err.code, err.detail)
        if err.mend != err.detail and err.code != "api_error":
            _complain("", err.mend)
        raise typer.Exit(err.exit_status if isinstance(err, Misconfigured) else EXIT_ERROR) from None
    except httpx.HTTPError as err:
        _complain("no answer from the server", str(err))
        raise typer.Exit(EXIT_ERROR) from None


def _complain(what: str, detail: str) -> None:
    """A line on stderr, left whole for logs; what others wrote is shown as it is, never read as markup."""
    line = Text(f"{what}: " if what else "", style="red")
    Console(stderr=True).print(line.append(detail, style="default"), soft_wrap=True)
