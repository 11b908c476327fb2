"""A row of a tool's log while it is read: its cells by field, and the rules that it breaks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from opencarbon.sources.history.cells import READ_NUMBER, UnreadableCellError, moment_of, text_of, unix_moment
from opencarbon.sources.history.formats import Format
from opencarbon.sources.history.rules import FIELD_BOUNDS, Fault, fault
from opencarbon.tables.columns import all_columns


@dataclass(slots=True)
class Row:
    """A row that is being read.

    Parameters
    ----------
    number : int
        Row of the file, from 0.
    run : str
        Id of its run.
    cells : mapping of str to object
        By plain column.
    form : Format
    faults : list of Fault
        Rules it was found to break.
    """

    number: int
    run: str
    cells: Mapping[str, object]
    form: Format
    faults: list[Fault] = field(default_factory=list)

    def given(self, name: str) -> Iterator[tuple[str, str, object]]:
        """Cells that state a field, the preferred one first.

        Parameters
        ----------
        name : str
            Field.

        Yields
        ------
        tuple of str, str, object
            Column as the tool spells it, how it is read, what stands there.
        """
        for column, reading in self.form.columns.get(name, {}).items():
            value = self.cells.get(column)
            text = text_of(value)
            nothing = self.form.null.get(column, frozenset()) | self.form.null.get("*", frozenset())
            if text is not None and text not in nothing:
                yield self.form.spelling[column], reading, value

    def first_column(self, name: str) -> str:
        """Column to name where a field is missing: the first that the row has, else our own.

        Parameters
        ----------
        name : str
            Field.

        Returns
        -------
        str
        """
        known = self.form.columns.get(name, {})
        return next((self.form.spelling[column] for column in known if column in self.cells), name)

    def breaks(self, code: str, column: str, value: object, **words: str | float) -> None:
        """Note that the row breaks a rule.

        Parameters
        ----------
        code, column : str
        value : object
        **words : str or float
        """
        self.faults.append(fault(code, self.number, self.run, column, value, **words))


def number_in(row: Row, name: str) -> float | None:
    """Number of a field in our unit, kept within its bounds.

    Parameters
    ----------
    row : Row
    name : str
        Field, one of :data:`~opencarbon.sources.history.rules.FIELD_BOUNDS`.

    Returns
    -------
    float or None
        None where it is not given, or breaks a rule: then the row says so.
    """
    for column, reading, value in row.given(name):
        try:
            amount = READ_NUMBER[reading](value)
        except UnreadableCellError as problem:
            row.breaks(problem.code, column, value, wanted=problem.wanted)
            return None
        return amount if is_within(row, name, column, value, amount) else None
    return None


def is_within(row: Row, name: str, column: str, value: object, amount: float) -> bool:
    """Whether a number lies within the bounds of its field; where not, the row says so.

    Parameters
    ----------
    row : Row
    name : str
        Field.
    column : str
        Column it came from.
    value : object
        What stands there.
    amount : float
        The number, in our unit.

    Returns
    -------
    bool
    """
    bounds = FIELD_BOUNDS[name]
    if not bounds.broken(np.array([amount]))[0]:
        return True
    unit = all_columns()[name].unit or "in all"
    row.breaks("out_of_range", column, value, amount=amount, unit=unit, bounds=str(bounds))
    return False


def moment_in(row: Row, name: str) -> datetime | None:
    """Moment of a field, in UTC.

    Parameters
    ----------
    row : Row
    name : str
        Field.

    Returns
    -------
    datetime or None
        None where it is not given, cannot be told, or breaks a rule: then the row says so.
    """
    for column, reading, value in row.given(name):
        try:
            if reading == "unix":
                return unix_moment(value)
            return moment_of(value, naive_times=row.form.naive_times)
        except UnreadableCellError as problem:
            row.breaks(problem.code, column, value, wanted=problem.wanted)
            return None
    return None
