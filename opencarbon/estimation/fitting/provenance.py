"""What the notes of a training run say: how its FLOP is known, what its hours span, whether it counts cores.

A FLOP figure that was derived as devices x time x an *assumed* utilisation says nothing about throughput:
fitting on it returns the assumption. Such figures are told by the text that goes with them, never by the
utilisation they imply, since honest runs have round utilisations too.
"""

import re
from typing import Final

_POWER_OF_TEN: Final = r"(?:[eE]\s*\+?\s*(\d{1,2})\b|\s*[*x\u00d7\u00b7]?\s*10\s*\^\s*\{?\(?\s*\+?(\d{1,2}))"
_FIGURE: Final = re.compile(rf"(\d+(?:[.,]\d+)?){_POWER_OF_TEN}|\b(\d{{13,30}})\b")

_ROUNDED: Final = 1.03
"""Notes round a figure to two digits: 3.1e22 for 3.14e22."""

_TIMES: Final = r"[*x\u00d7\u00b7]"
_SHARE: Final = r"(?:0?\.[1-9]\d*|[1-9]\d(?:\.\d+)?\s*%)"
_FACTOR: Final = re.compile(
    rf"{_TIMES}[\s+(]*({_SHARE})(?![\d.]*[eE]\d)|(?<![\w.])({_SHARE})\s*(?:\[[^\]]*\]\s*)?{_TIMES}|%2[AB]\s*(0?\.[1-9]\d*)"
)
_THREE_TENTHS: Final = re.compile(r"[*x\u00d7]\s*3\s*//\s*10\b")
_UTILISATION: Final = r"utili[sz]ation"
_ASSUMED: Final = re.compile(
    rf"assum\w*\W+(?:[\w.%]+\W+){{0,5}}?{_UTILISATION}"
    rf"|{_UTILISATION}(?:\W+\w+){{0,2}}\W+assum"
    rf"|(?:imputed|typical|say|guess\w*|0?\.\d+|\d+\s*%)\W+(?:[\w.%]+\W+){{0,2}}{_UTILISATION}\s+rate"
    rf"|(?:imputed|let'?s say)\W+(?:[\w.%]+\W+){{0,4}}{_UTILISATION}"
    rf"|\b0?\.\d+\s+util\b",
    re.IGNORECASE,
)
_GEOMETRIC: Final = re.compile(r"geo(?:metric(?:al)?)?\W*mean|\bsqrt\s*\(", re.IGNORECASE)
_COUNTED: Final = re.compile(
    rf"6\s*\*?\s*(?:ND|CN|NC|N\s*\*\s*D)\b|operations?[ -]counting|counting operations|arithmetic estimate"
    rf"|\b6\s*(?:FLOPs?\b[^=\n]{{0,40}})?{_TIMES}|{_TIMES}\s*6\b(?![.,\d])|\b2\s*{_TIMES}\s*3\s*{_TIMES}"
    r"|mult-?adds|per forward pass|forward pass",
    re.IGNORECASE,
)
_RATE: Final = (
    r"(?:throughput|(?:[tp]era|peta|[tp])?\W?flop\w*(?:/s\w*|\s+per\s+(?:second|gpu|chip))"
    r"|utili[sz]ation|MFU|HFU)"
)
_MEASURED: Final = re.compile(
    rf"(?:measured|reported|achiev\w*|sustain\w*|stated|obtain\w*)\W+(?:[\w.]+\W+){{0,5}}?{_RATE}"
    rf"|{_RATE}\W+(?:is|was|of)\W+(?:\w+\W+)?(?:measured|reported|achieved|sustained|\d)"
    r"|\bMFU\b|\bHFU\b|model flops? utili[sz]ation|hardware flops? utili[sz]ation",
    re.IGNORECASE,
)
_STATED_SHARE: Final = re.compile(
    r"(?:MFU|HFU|flops? utili[sz]ation)\)?\W+(?:\w+\W+){0,3}?(\d+(?:\.\d+)?)\s*%"
    r"|(\d+(?:\.\d+)?)\s*%\s+(?:(?:model|hardware)\s+flops?\s+utili[sz]ation|MFU|HFU)",
    re.IGNORECASE,
)
_REPORTED: Final = re.compile(
    r"\breport(?:s|ed)\b|\btable\s+[A-Z]{0,2}\W?\d|directly given|\bstates?d?\b|according to|model card"
    r"|\bper\b.{1,30}\bpaper\b"
    r"|required\W+[\d.]+\s*[eE*x\u00d7]\W?\d*\^?\d*\s*FLOP|from (?:the )?(?:paper|authors?|appendix)"
    r"|appendix [A-Z]|akronomicon",
    re.IGNORECASE,
)

_BILLED: Final = re.compile(
    r"\d[\d,.]*\s*(?:k|m|million)?\s*(?:[\w.-]+\s+){0,2}?(?:gpu|tpu|chip|core|accelerator|device|[AVHP]\d{2,3})s?"
    r"[ -](?:core[ -])?(?:hours?|days?|years?)",
    re.IGNORECASE,
)
_UNIT_OF_TIME: Final = r"(?:ms|sec(?:ond)?s?|s|min(?:ute)?s?|hours?|days?|weeks?|months?)"
_FROM_THROUGHPUT: Final = re.compile(
    r"FLOPs?\s*/\s*\(|flops?\b.{0,60}utili[sz]ation.{0,80}(?:hours|->)"
    r"|tokens?\)?\s*/\s*\(|then training time"
    r"|\bdivid\w+\b[^.]{0,40}\bcompute\b.{0,120}\b(?:utili[sz]ation|throughput|performance)"
    rf"|\d\s*{_UNIT_OF_TIME}\s*(?:per|/)\s*(?:epoch|step|iteration|batch)\b[^=\n]{{0,30}}{_TIMES}",
    re.IGNORECASE,
)
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_CALENDAR: Final = re.compile(
    rf"\b{_MONTH}(?:\s+\d{{1,2}}(?:st|nd|rd|th)?)?(?:,?\s+\d{{4}})?\s*(?:to|until|through|-|\u2013)\s*"
    rf"(?:\d{{4}}\s+)?{_MONTH}\b|\bupper bound\b|\bat most\b|\bless than\b|\bmaximum of\b"
    rf"|(?<!slightly )(?<!slight )\b(?:more than|over)\s+(?:an?|one|two|three|\d+)\s+{_UNIT_OF_TIME}\b"
    r"|access to the cluster",
    re.IGNORECASE,
)
_GUESSED: Final = re.compile(
    r"\bassum|\bguess|\bspeculat|\bconjectur|\bestimated to be\b|\bshould be (?:more|less|longer|shorter)\b",
    re.IGNORECASE,
)
_GUESSED_HOURS: Final = re.compile(
    rf"\d\s*{_UNIT_OF_TIME}\s*[\[(]\s*(?:assum|guess)|\bassum\w*\s*(?:\(!\)\s*)?\d+\s*{_UNIT_OF_TIME}\b",
    re.IGNORECASE,
)

_TIME: Final = re.compile(r"\b3600\b|\b86400\b|\b(?:hours?|days?|weeks?|months?|years?)\b", re.IGNORECASE)

_CORES: Final = re.compile(
    r"(\d[\d,]*)\s*(?:(?:cloud|google|TPU\w*|v\d\w?|-)\s*)*cores?\b|\bv\d-(\d+)\b", re.IGNORECASE
)


def flop_basis(training_flop: float, notes: str, *, method: str = "", more_notes: str = "") -> str | None:
    """Tell how the training FLOP of a run is known.

    The line of the notes whose figure is the FLOP decides; where no line has it, the notes as a whole.

    Parameters
    ----------
    training_flop : float
        The figure [FLOP].
    notes : str
        What was written about how it was come by.
    method : str
        Names of the methods, where the source lists them, separated by commas.
    more_notes : str
        Further notes, searched only for utilisations that were measured.

    Returns
    -------
    str or None
        ``counted``, ``reported``, ``measured_throughput``, ``assumed_utilisation`` or ``geometric_mean``;
        None where nothing says so.
    """
    methods = {word.strip().casefold() for word in method.split(",")} - {""}
    lines = [line for line in notes.splitlines() if _states(line, training_flop)]
    told = [_basis_of(line, notes + "\n" + more_notes) for line in lines]
    found = next((basis for basis in reversed(told) if basis), None) or _basis_of(
        notes, notes + "\n" + more_notes
    )
    return _agreed(found, methods)


def _agreed(found: str | None, methods: set[str]) -> str | None:
    """Let the listed methods overrule or complete what the notes say."""
    by_hardware, counted = "hardware" in methods, "operation counting" in methods
    if not methods or found == "geometric_mean":
        return found
    if by_hardware and not counted and "reported" not in methods:
        return "measured_throughput" if found == "measured_throughput" else "assumed_utilisation"
    if not by_hardware and counted:
        return "counted"
    if not by_hardware and "reported" in methods:
        return "reported"
    return found


def _basis_of(text: str, all_notes: str) -> str | None:
    if _GEOMETRIC.search(text):
        return "geometric_mean"
    factors = {_share(next(filter(None, groups))) for groups in _FACTOR.findall(text)}
    stated = {float(one or other) / 100.0 for one, other in _STATED_SHARE.findall(all_notes)}
    # A factor that the notes call a measured MFU or HFU is evidence, any other is an assumption.
    measured = {factor for factor in factors if any(abs(factor - known) < 1e-6 for known in stated)}
    if factors - measured or _ASSUMED.search(text) or _THREE_TENTHS.search(text):
        return "assumed_utilisation"
    if _COUNTED.search(text):
        return "counted"
    if measured or _MEASURED.search(text):
        return "measured_throughput"
    return "reported" if _REPORTED.search(text) else None


def _share(text: str) -> float:
    return float(text.rstrip("% ")) / 100.0 if text.endswith("%") else float(text)


def _states(line: str, training_flop: float) -> bool:
    """Whether a figure in the line is the FLOP, to the digits that notes are rounded to."""
    values = (_value(*figure) for figure in _FIGURE.findall(line))
    return any(abs(value / training_flop - 1.0) < _ROUNDED - 1.0 for value in values)


def _value(mantissa: str, exponent: str, power: str, digits: str) -> float:
    return float(digits) if digits else float(mantissa.replace(",", ".")) * 10.0 ** int(exponent or power)


def counted_part(notes: str) -> float | None:
    """Find the figure that a geometric mean took from a count of operations.

    Only a line that counts and assumes nothing is looked at; what stands behind its last sign of equality,
    or alone behind a colon, is the count. Lines that reckon with time are hardware's.

    Parameters
    ----------
    notes : str
        What was written about how the FLOP was come by.

    Returns
    -------
    float or None
        The count [FLOP]; None where no line has one, or lines disagree by more than 3 %.
    """
    found = [
        _value(*figures[-1])
        for line in notes.splitlines()
        if _COUNTED.search(line) and not _not_a_count(line)
        for figures in [_FIGURE.findall(re.split("[=:]", line)[-1])]
        if figures
    ]
    agree = found and max(found) <= _ROUNDED * min(found)
    return found[0] if agree else None


def _not_a_count(line: str) -> bool:
    """Whether a line is an assumption, a mean, or a product with time."""
    return bool(
        _FACTOR.search(line) or _ASSUMED.search(line) or _GEOMETRIC.search(line) or _TIME.search(line)
    )


def hours_scope(time_notes: str, other_notes: str = "") -> str:
    """Tell what the hours of a run span.

    Parameters
    ----------
    time_notes : str
        What was written about how long the run took.
    other_notes : str
        Further notes, searched only for device-hours and for hours said to be assumed.

    Returns
    -------
    str
        ``billed`` where device-hours were stated; ``throughput`` where the hours follow from a measured
        throughput or time per step; ``calendar_bound`` where only dates, a bound or a guess is known.
        Where nothing more is said than how long so many devices ran, ``billed``, too: such devices are held,
        and paid for, from the first step to the last, and Epoch AI reckons hardware's FLOP from just this
        product [1]_.

    References
    ----------
    .. [1] Epoch AI, "AI models documentation: Estimation",
       https://epoch.ai/data/ai-models-documentation/estimation.
    """
    if _FROM_THROUGHPUT.search(time_notes):
        return "throughput"
    if _BILLED.search(time_notes):
        return "billed"
    if _GUESSED_HOURS.search(time_notes + "\n" + other_notes):
        return "calendar_bound"
    if not _BILLED.search(other_notes) and (_CALENDAR.search(time_notes) or _GUESSED.search(time_notes)):
        return "calendar_bound"
    return "billed"


def counts_cores(quantity: float, notes: str) -> bool:
    """Tell whether a number of chips is really the number of cores that the notes name.

    Parameters
    ----------
    quantity : float
        Devices as stated.
    notes : str
        Everything written about the run.

    Returns
    -------
    bool
    """
    named = {float((cores or pod).replace(",", "")) for cores, pod in _CORES.findall(notes)}
    return quantity in named
