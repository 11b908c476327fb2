"""Epoch AI's table of models is read in both generations of its columns, or refused with the reason."""

import csv
import io
import re
from datetime import date
from pathlib import Path

import pytest

from opencarbon.errors import SourceShapeError
from opencarbon.sources.epoch_ai import MODEL_ROWS, parse_models

DATA = Path(__file__).parents[1] / "data" / "epoch_ai"


def rows_of(name: str) -> dict[str, dict[str, object]]:
    return {row["model"]: row for row in parse_models((DATA / name).read_bytes()).to_pylist()}


@pytest.mark.parametrize("name", ["models_2025.csv", "models_2026.csv"])
def test_both_generations_have_the_same_columns(name: str) -> None:
    assert parse_models((DATA / name).read_bytes()).schema == MODEL_ROWS


def test_a_row_of_the_older_file_is_read_with_thousands_and_quoted_newlines() -> None:
    row = rows_of("models_2025.csv")["Aurora-7B"]
    assert row["organisation"] == "Example Lab"
    assert row["training_hours"] == 3000.0
    assert row["hardware_quantity"] == 64.0
    assert row["training_flop"] == 8.4e22
    assert date(2023, 2, 1) == row["publication_date"]
    assert '\n\nCard: "trained on 64 devices"' in str(row["compute_notes"])


def test_what_the_older_file_does_not_have_is_null() -> None:
    row = rows_of("models_2025.csv")["Aurora-7B"]
    assert (row["chip_hours"], row["estimation_method"], row["utilisation_notes"]) == (None, None, None)


def test_a_row_of_the_newer_file_has_chip_hours_and_the_method() -> None:
    row = rows_of("models_2026.csv")["Helios-30B"]
    assert row["chip_hours"] == 1_500_000.5
    assert row["estimation_method"] == "Operation counting"


def test_cells_that_hold_no_number_or_date_are_null_and_the_row_stays() -> None:
    rows = rows_of("models_2025.csv")
    gleam = rows["Gleam"]
    assert (gleam["training_flop"], gleam["training_hours"], gleam["hardware_quantity"]) == (None, None, None)
    assert None is rows["Eos"]["publication_date"]
    assert None is rows["Corona XL"]["publication_date"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234,567.5", 1234567.5),
        ("1,23", None),
        ("2.5E+24", 2.5e24),
        (" 7 ", 7.0),
        (".5", 0.5),
        ("-3", -3.0),
        (".", None),
        ("e5", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("1_000", None),
        ("12 hours", None),
    ],
)
def test_a_number_is_read_or_null(cell: str, value: float | None) -> None:
    body = (DATA / "models_2025.csv").read_bytes().replace(b'"3,000"', f'"{cell}"'.encode())
    assert value == parse_models(body).to_pylist()[0]["training_hours"]


def test_a_missing_needed_column_is_named() -> None:
    body = (DATA / "models_2025.csv").read_bytes().replace(b"Training hardware", b"Training hardware (chips)")
    with pytest.raises(
        SourceShapeError,
        match=re.escape("no column 'Training hardware' (it has 'Training hardware (chips)' for"),
    ):
        parse_models(body)


def test_a_missing_column_that_may_be_missing_is_null() -> None:
    body = (DATA / "models_2025.csv").read_bytes().replace(b"Confidence", b"Trust")
    assert parse_models(body)["confidence"].null_count == 7


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"<!DOCTYPE html><html>Not found</html>", "is a web page"),
        (b"\xef\xbb\xbf\n  <html>", "is a web page"),
        (b"PK\x03\x04\xff\xfe", "is not UTF-8 text"),
        (b"Model,Organization\nA,B,C\n", "line 2: 3 cells where the header has 2"),
        (b'Model,Organization\n"A,B\n', "not CSV"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        parse_models(body)


def test_a_file_cut_in_the_middle_of_a_row_is_refused() -> None:
    body = (DATA / "models_2026.csv").read_bytes()
    with pytest.raises(SourceShapeError, match="cut short"):
        parse_models(body[: len(body) - 60])


def cells_of(name: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((DATA / name).read_text("utf-8-sig"), newline="")))


def body_of(cells: list[list[str]], delimiter: str = ",", end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(cells)
    return text.getvalue().encode()


def with_columns_swapped(one: str, other: str) -> bytes:
    cells = cells_of("models_2025.csv")
    at, to = cells[0].index(one), cells[0].index(other)
    cells[0][at], cells[0][to] = other, one
    return body_of(cells)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("Training compute (FLOP)", "Training time (hours)", "less than a million FLOP a second"),
        ("Training compute (FLOP)", "Hardware quantity", "less than a million FLOP a second"),
        ("Training compute (FLOP)", "Parameters", "less than a million FLOP a second"),
        ("Training time (hours)", "Parameters", "took more than ten years"),
        ("Hardware quantity", "Parameters", "more than ten million devices"),
        ("Training compute (FLOP)", "Training hardware", "column 'Training compute \\(FLOP\\)': 7 of 7"),
        ("Hardware quantity", "Model", "column 'Hardware quantity': 7 of 7 cells hold no number"),
        ("Training time (hours)", "Organization", "such as 'Example Lab'"),
        ("Model", "Organization", "column 'Model' has 4 names in 7 rows"),
    ],
)
def test_a_file_with_two_columns_exchanged_is_refused(one: str, other: str, words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        parse_models(with_columns_swapped(one, other))


def test_a_file_is_refused_where_more_than_half_of_a_column_is_text_and_not_before() -> None:
    cells = cells_of("models_2025.csv")
    at = cells[0].index("Training time (hours)")
    for row in cells[1:3]:
        row[at] = "a while"
    assert parse_models(body_of(cells))["training_hours"].null_count == 3  # "unknown" of Gleam is the third
    cells[3][at] = "a while"
    with pytest.raises(SourceShapeError, match="4 of 7 cells hold no number, such as 'a while'"):
        parse_models(body_of(cells))


def test_the_columns_whose_cells_hold_text_are_named_row_by_row() -> None:
    rows = rows_of("models_2025.csv")
    assert rows["Gleam"]["unread_columns"] == (
        "Training time (hours);Hardware quantity;Training compute (FLOP)"
    )
    assert {None} == {row["unread_columns"] for name, row in rows.items() if name != "Gleam"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_change_nothing(end: str, mark: bytes) -> None:
    cells = cells_of("models_2025.csv")
    body = mark + body_of(cells, end=end)
    assert parse_models(body).equals(parse_models((DATA / "models_2025.csv").read_bytes()))


def test_unknown_columns_and_the_order_of_columns_change_nothing() -> None:
    cells = cells_of("models_2025.csv")
    turned = [["x", *row[::-1], "y"] for row in cells]
    assert parse_models(body_of(turned)).equals(parse_models(body_of(cells)))


def test_semicolons_between_columns_are_refused_with_the_remedy() -> None:
    with pytest.raises(SourceShapeError, match=r"semicolons between its columns.*give the file as it was"):
        parse_models(body_of(cells_of("models_2025.csv"), delimiter=";"))


def test_a_column_that_is_there_twice_is_refused() -> None:
    cells = [[*row, row[0]] for row in cells_of("models_2025.csv")]
    with pytest.raises(SourceShapeError, match="the column 'Model' more than once"):
        parse_models(body_of(cells))


def test_a_file_cut_within_quotes_is_refused() -> None:
    body = (DATA / "models_2025.csv").read_bytes()
    with pytest.raises(SourceShapeError, match="cut short or damaged"):
        parse_models(body[: body.index(b"trained on 64 devices")])


def test_a_header_without_rows_is_an_empty_table() -> None:
    header = (DATA / "models_2025.csv").read_bytes().split(b"\n", 1)[0]
    assert parse_models(header).num_rows == 0
