"""Numbers as people read them: few digits, thousands kept apart, no machine notation."""

import math
from typing import Final

NOT_KNOWN: Final = "–"  # noqa: RUF001  # an en dash, as tables of figures print it
THIN_SPACE: Final = "\u202f"
"""Narrow no-break space, which keeps thousands apart (ISO 80000-1)."""
MINUS: Final = "\u2212"
KILOGRAMS_PER_TONNE: Final = 1e3
"""Emissions of training runs are printed in tonnes, as the paper prints them."""
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN_FROM: Final = 1e-3
_PLAIN_BELOW: Final = 1e7


def number(value: float | None, digits: int = 4) -> str:
    """Write a number for people.

    Parameters
    ----------
    value : float or None
        Any number.
    digits : int
        Significant digits kept; digits before the point are always whole.

    Returns
    -------
    str
        Such as ``12 340``, ``0.0571``, or a factor and a power of ten; a dash where there is none.
    """
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    if value == 0:
        return "0"
    if not _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{_signed(_trimmed(mantissa))} × {power_of_ten(int(exponent))}"  # noqa: RUF001
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _signed(_trimmed(f"{value:,.{decimals}f}").replace(",", THIN_SPACE))


def mass(kilograms: float | None, digits: int = 3) -> str:
    """Write a mass of CO2e: in t from a tonne on, in kg below, rounded to what is known of it.

    Parameters
    ----------
    kilograms : float or None
        [kgCO2e]
    digits : int
        Significant digits; what lies beyond is zero.

    Returns
    -------
    str
        Such as ``60 000 t`` or ``0.571 kg``; a dash where there is none.
    """
    if kilograms is None or not math.isfinite(kilograms):
        return NOT_KNOWN
    in_tonnes = abs(kilograms) >= KILOGRAMS_PER_TONNE
    value = kilograms / KILOGRAMS_PER_TONNE if in_tonnes else kilograms
    return f"{number(rounded(value, digits), digits)}{THIN_SPACE}{'t' if in_tonnes else 'kg'}"


def rounded(value: float, digits: int) -> float:
    """A number rounded to significant digits, those before the point among them.

    Parameters
    ----------
    value : float
    digits : int

    Returns
    -------
    float
    """
    return value if value == 0 else round(value, digits - 1 - math.floor(math.log10(abs(value))))


def percentage(value: float | None) -> str:
    """Write a difference in per cent, with its sign.

    Parameters
    ----------
    value : float or None
        Difference in %.

    Returns
    -------
    str
        Such as ``+7.8 %``; a dash where there is none.
    """
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    rounded = round(value, 1 if abs(value) < 100 else 0)
    sign = "+" if rounded > 0 else ""
    return f"{sign}{number(rounded)}{THIN_SPACE}%"


def power_of_ten(exponent: int) -> str:
    """Write ten to a power.

    Parameters
    ----------
    exponent : int
        The power.

    Returns
    -------
    str
        Such as ``10²³``.
    """
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def significant_digits(value: float) -> int:
    """Digits that a printed figure has, zeros at either end left out.

    Parameters
    ----------
    value : float
        The figure.

    Returns
    -------
    int
        At least 1; 5 for 276.92.
    """
    mantissa = f"{value:.14e}".partition("e")[0].lstrip("-").replace(".", "")
    return max(1, len(mantissa.rstrip("0")))


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
