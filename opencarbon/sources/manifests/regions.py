"""Regions of manifests: where a job is bound for, and where it may run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from opencarbon.sources.manifests.arrow import (
    AnyArray,
    AnyColumn,
    IntArray,
    as_text,
    null_where,
    true_rows,
    where,
    whole_numbers,
)
from opencarbon.sources.manifests.columns import Rules
from opencarbon.sources.manifests.names import MOST_HINTS, nearest, shown
from opencarbon.sources.manifests.rules import Broken, Words
from opencarbon.sources.manifests.spelling import plain, text
from opencarbon.sources.manifests.texts import distinct, take_texts

_FAULTS: Final = ("malformed_region", "unknown_region", "null_item", "not_utf8")
_NO_FAULT: Final = -1
_NONE: Final = "none"
_FORMS: Final = ", aws:*, country:DE or *"


@dataclass(frozen=True, slots=True)
class _Place:
    """A region as spelled: its canonical form, or the rule it breaks; neither where it is blank."""

    name: str | None = None
    fault: str | None = None


def current_regions(given: pa.StringArray, rules: Rules) -> tuple[pa.StringArray, list[Broken]]:
    """Look up the regions that jobs are bound for.

    Parameters
    ----------
    given : pa.StringArray
    rules : Rules

    Returns
    -------
    pa.StringArray
        ``provider:region``; null where none is given or it is unknown.
    list of Broken
    """
    codes, spellings = distinct(given)
    places = [_region(spelling.strip().casefold(), rules) for spelling in spellings]
    words = _words(spellings, places, rules, forms="")
    rows = np.arange(len(given), dtype=np.int64)
    broken = _first_faults("current_region", _fault_numbers(places)[codes], rows, codes, words)
    return take_texts((place.name for place in places), codes), list(broken)


def allowed_regions(given: AnyColumn, rules: Rules) -> tuple[pa.StringArray, list[Broken]]:
    """Look up the regions where jobs may run.

    Parameters
    ----------
    given : pa.ChunkedArray
        Lists of text, or text with items between semicolons; ``none`` is an empty list.
    rules : Rules

    Returns
    -------
    pa.StringArray
        Items joined by semicolons. Null stays null; an empty list, an empty text and blank items only are empty text.
    list of Broken
    """
    array = plain(given)
    if pt.is_nested(array.type):
        return _lists(array, rules)
    whole = text(array)
    codes, texts = distinct(as_text(whole.values))
    texts = ["" if one.strip().casefold() == _NONE else one for one in texts]
    joined, broken = _lists(pc.split_pattern(pa.array(texts, pa.string()), ";"), rules)
    wrong = [Broken(code, "allowed_regions", where(rows)) for code, rows in whole.wrong.items()]
    return take_texts(joined.to_pylist(), codes), wrong + [_spread(fault, codes) for fault in broken]


def _lists(array: AnyArray, rules: Rules) -> tuple[pa.StringArray, list[Broken]]:
    """Look up every item of lists, and join the items of each again."""
    lengths = whole_numbers(pc.list_value_length(array))
    items = text(plain(pa.chunked_array([pc.list_flatten(array)])))
    codes, spellings = distinct(as_text(items.values))
    places = [_allowed(spelling.strip(), rules) for spelling in spellings]
    faults = _fault_numbers(places)[codes]
    faults[codes == len(places)] = _FAULTS.index("null_item")
    for code, bad in items.wrong.items():
        faults[bad] = _FAULTS.index(code)
    rows = np.repeat(np.arange(len(array), dtype=np.int64), lengths)
    words = _words(spellings, places, rules, forms=_FORMS)
    names = take_texts((place.name for place in places), codes)
    broken = _first_faults("allowed_regions", faults, rows, codes, words)
    return _joined(names, lengths, is_null=array.is_null()), list(broken)


def _spread(fault: Broken, codes: IntArray) -> Broken:
    """From the distinct texts that break a rule to the rows that hold them."""
    rows = where(np.isin(codes, fault.rows))
    return Broken(fault.code, fault.column, rows, lambda row: fault.words(int(codes[row])))


def _region(name: str, rules: Rules) -> _Place:
    if not name or name in rules.regions:
        return _Place(name or None)
    provider, separator, place = name.partition(":")
    is_formed = bool(separator and provider.strip() and place.strip() and ":" not in place)
    return _Place(fault="unknown_region" if is_formed else "malformed_region")


def _allowed(item: str, rules: Rules) -> _Place:
    name = item.casefold()
    before, _, after = name.partition(":")
    if name == "*" or (after == "*" and before in rules.providers):
        return _Place(name)
    if before == "country" and after:
        code = after.upper()
        return _Place(f"country:{code}") if code in rules.countries else _Place(fault="unknown_region")
    return _region(name, rules)


def _fault_numbers(places: Sequence[_Place]) -> IntArray:
    """Fault of each distinct spelling by number, and of null, which has none."""
    numbers = (_NO_FAULT if place.fault is None else _FAULTS.index(place.fault) for place in places)
    return np.array([*numbers, _NO_FAULT], dtype=np.int64)


def _words(
    spellings: Sequence[str], places: Sequence[_Place], rules: Rules, *, forms: str
) -> Callable[[int], Words]:
    faulty = [code for code, place in enumerate(places) if place.fault]
    hints = {code: _hint(spellings[code], rules, with_forms=bool(forms)) for code in faulty[:MOST_HINTS]}

    def words(code: int) -> Words:
        item = shown(spellings[code]) if code < len(spellings) else ""
        return {"item": repr(item), "hint": hints.get(code, ""), "forms": forms}

    return words


def _hint(spelling: str, rules: Rules, *, with_forms: bool) -> str:
    name = spelling.strip().casefold()
    known = {region: region for region in sorted(rules.regions)}
    if with_forms:
        known |= {f"{provider}:*": f"{provider}:*" for provider in sorted(rules.providers)}
        if name.upper() in rules.countries:
            return f", did you mean 'country:{name.upper()}'?"
    same = [region for region in known if region.partition(":")[2] == name]
    return f", did you mean {' or '.join(map(repr, same))}?" if same else nearest(name, known)


def _first_faults(
    column: str,
    faults: IntArray,
    rows: IntArray,
    codes: IntArray,
    words: Callable[[int], Words],
) -> Iterator[Broken]:
    """Rules that rows break, each with the first item of the row that breaks it."""
    for number, code in enumerate(_FAULTS):
        at_fault = np.flatnonzero(faults == number)
        broken_rows, first = np.unique(rows[at_fault], return_index=True)
        if len(broken_rows):
            of_row = dict(zip(broken_rows.tolist(), codes[at_fault[first]].tolist(), strict=True))
            yield Broken(code, column, broken_rows, _by_row(of_row, words))


def _by_row(of_row: dict[int, int], words: Callable[[int], Words]) -> Callable[[int], Words]:
    return lambda row: words(of_row[row])


def _joined(names: pa.StringArray, lengths: IntArray, *, is_null: pa.BooleanArray) -> pa.StringArray:
    """Items that are not blank, joined again for each row."""
    keep = true_rows(names.is_valid())
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    offsets = kept_before[np.concatenate([[0], np.cumsum(lengths)])]
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), names.filter(pa.array(keep)))
    return as_text(null_where(is_null, cast("pa.StringArray", pc.binary_join(lists, ";"))))
