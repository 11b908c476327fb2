"""Cells of CSV files that a spreadsheet takes for what they are."""

from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that spreadsheets run: https://owasp.org/www-community/attacks/CSV_Injection."""


def csv_cell(value: object) -> str:
    """Write a value as a cell of CSV, before it is quoted.

    Parameters
    ----------
    value : object
        Numbers stay numbers; None is an empty cell.

    Returns
    -------
    str
        A text that a spreadsheet would run begins with an apostrophe.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)
