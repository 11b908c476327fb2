"""Questions that readers of a release have, each one statement of SQL that DuckDB and Polars answer alike.

A file says in its first line who asks, and in the lines of comment below what. It names tables as :mod:`opencarbon.
publishing.views` does.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

ASKED_BY: Final = ("sustainability lead", "ML lead", "cluster operator", "analyst")
"""Who asks, in the order in which they are listed."""
_WHO: Final = "-- asked by: "


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its SQL.

    Parameters
    ----------
    name : str
        Name of its file without ``.sql``.
    asked_by : str
        One of ``ASKED_BY``.
    text : str
        What is asked, and what to know of the answer.
    sql : str
        The statement.
    """

    name: str
    asked_by: str
    text: str
    sql: str


def questions() -> tuple[Question, ...]:
    """All questions, by who asks.

    Returns
    -------
    tuple of Question
    """
    found = [path for path in files(__package__).iterdir() if path.name.endswith(".sql")]
    read = [_parsed(path.name.removesuffix(".sql"), path.read_text(encoding="utf-8")) for path in found]
    return tuple(sorted(read, key=lambda one: (ASKED_BY.index(one.asked_by), one.name)))


def _parsed(name: str, content: str) -> Question:
    head, _, rest = content.partition("\n")
    lines = rest.splitlines()
    comments = next(at for at, line in enumerate(lines) if not line.startswith("-- "))
    text = " ".join(line.removeprefix("-- ") for line in lines[:comments])
    return Question(name, head.removeprefix(_WHO), text, "\n".join(lines[comments:]).strip())
