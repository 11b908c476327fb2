"""Numbers as people read them."""

import math

import pytest

from opencarbon.publishing.numbers import number, percentage, power_of_ten, significant_digits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (276.92, "276.9"),
        (1966.17, "1\u202f966"),
        (320_256, "320\u202f256"),
        (0.0571, "0.0571"),
        (0.05714, "0.05714"),
        (30.0, "30"),
        (1200.0, "1\u202f200"),
        (-6.7, "\u22126.7"),
        (0, "0"),
        (3.12e23, "3.12 \u00d7 10²³"),
        (4.2e-9, "4.2 \u00d7 10⁻⁹"),
        (9.99996e6, "9\u202f999\u202f960"),
        (None, "\u2013"),
        (math.nan, "\u2013"),
        (math.inf, "\u2013"),
    ],
)
def test_a_number_has_four_digits_and_no_machine_notation(value: float | None, text: str) -> None:
    assert text == number(value)


def test_more_digits_are_kept_where_they_are_asked_for() -> None:
    assert number(11_261.75, 7) == "11\u202f261.75"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.75, "+7.8\u202f%"),
        (-12.9, "\u221212.9\u202f%"),
        (0.001, "0\u202f%"),
        (187.3, "+187\u202f%"),
        (None, "\u2013"),
    ],
)
def test_a_difference_carries_its_sign(value: float | None, text: str) -> None:
    assert text == percentage(value)


def test_powers_of_ten_stand_high() -> None:
    assert power_of_ten(-25) == "10⁻²⁵"


@pytest.mark.parametrize(
    ("value", "digits"), [(276.92, 5), (312, 3), (300, 1), (0.805, 3), (-0.5, 1), (0.0, 1)]
)
def test_significant_digits_are_those_printed(value: float, digits: int) -> None:
    assert digits == significant_digits(value)
