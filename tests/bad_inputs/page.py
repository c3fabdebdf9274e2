"""docs/bad-inputs.md, made from the cases: `python -m tests.bad_inputs.page`."""

from collections.abc import Iterable
from pathlib import Path

from tests.bad_inputs.case import Case
from tests.bad_inputs.cases import CASES, GROUPS
from tests.bad_inputs.hosts import HOSTED

PAGE = Path(__file__).parents[2] / "docs" / "bad-inputs.md"
_LONGEST = 48

INTRODUCTION = f"""# Bad inputs

What is sent wrongly, and what comes back: {len(CASES)} requests and {len(HOSTED)} hosts of pictures, each tried on a
real server by the tests (`tests/bad_inputs`, from which this page is made: `python -m tests.bad_inputs.page`). None is
answered with a status of 500 or more, none changes a product, and afterwards the same process serves on with the memory
it had.

*field* is the first entry of `errors`. Where *seen in* says `ledger`, the request is accepted and the row (or the only
product of an upload) ends as `failed` with this code; where it says `job`, the file breaks off while it is read and the
job ends with the code. [errors.md](errors.md) says what each code means and how to put it right.
"""

HOSTS = """## Hosts of pictures

The address is good and the host is not: the upload is accepted, and its product ends as `failed` with this code. What
may pass by itself is tried again before (`fetch.tries`).

| what the host does | code | tried again |
|---|---|---|
"""


def page() -> str:
    """The page's text."""
    parts = [INTRODUCTION]
    parts += [f"## {name}\n\n{_table(cases)}" for name, cases in GROUPS.items()]
    rows = (f"| {it.name} | `{it.code}` | {'yes' if it.transient else ''} |" for it in HOSTED)
    return "\n".join([*parts, HOSTS + "\n".join(rows) + "\n"])


def _table(cases: Iterable[Case]) -> str:
    head = "| what is sent | to | status | code | field | seen in |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(_row(case) for case in cases) + "\n"


def _row(case: Case) -> str:
    request = case.make()
    path = str(request.url.raw_path, "ascii")
    path = path if len(path) <= _LONGEST else f"{path[: _LONGEST - 3]}..."
    field = f"`{case.field}`" if case.field else ""
    seen = {"answer": "", "row": "ledger", "job": "job"}[case.where]
    return f"| {case.name} | `{request.method} {path}` | {case.status} | `{case.code}` | {field} | {seen} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
