"""The page of the evaluation and its figures: complete, escaped, loading nothing, nothing covering anything."""

import itertools
import re
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from opencarbon.errors import ConfigError
from opencarbon.estimation.evaluation import EVALUATED, LEVEL, score_table
from opencarbon.publishing.evaluation_page import evaluation_page
from opencarbon.publishing.figures.evaluation import (
    EVALUATION_CAPTIONS,
    calibrated_hours,
    evaluation_figures,
)
from opencarbon.publishing.figures.evaluation_plots import errors_by_fleet, hours_beside_actual
from opencarbon.publishing.figures.evaluation_rows import coverage_by_method, errors_by_method
from opencarbon.publishing.figures.style import DARK, WIDTHS, Width
from opencarbon.publishing.numbers import MINUS
from tests.estimation.evaluation.samples import catalog
from tests.publishing.evaluation_samples import HOSTILE, evaluated
from tests.publishing.test_figures import box, texts
from tests.publishing.test_page import Page

FACTS = {"made with": "opencarbon 0.1.0", "frozen rows": "no, sha256 0123"}
TITLES = {name: method.title for name, method in EVALUATED.items()}
EVERY = [(name, width) for name in EVALUATION_CAPTIONS for width in WIDTHS]


@cache
def drawn() -> dict[str, tuple[str, str]]:
    tables, floors = evaluated()
    return evaluation_figures(tables, {name: floor.known_error() for name, floor in floors.items()})


@cache
def written() -> str:
    tables, floors = evaluated()
    return evaluation_page(tables, catalog().sources, drawn(), floors, FACTS)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(written())


@cache
def draw(name: str, width: Width) -> Figure:
    tables, floors = evaluated()
    scores = tables["evaluation_score"]
    match name:
        case "errors":
            known = {subset: floor.known_error() for subset, floor in floors.items()}
            return errors_by_method(scores, TITLES, known, width)
        case "hours":
            return hours_beside_actual(calibrated_hours(tables), width)
        case "coverage":
            return coverage_by_method(scores, TITLES, LEVEL, width)
    return errors_by_fleet(tables["evaluation_fleet"], width)


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_states_it(page: Page) -> None:
    assert not page.all("script", "iframe", "object", "embed", "img", "image", "base", "form")
    assert set(page.having("src")) == set()
    (policy,) = [one for one in page.all("meta") if one.attributes.get("http-equiv")]
    assert str(policy.attributes["content"]).startswith("default-src 'none'")
    (style,) = page.all("style")
    assert not re.search(r"url\(|@import|@font-face", str(style))


def test_links_lead_within_the_page_or_to_a_source(page: Page) -> None:
    ids, addresses = set(page.having("id")), set(catalog().sources["url"].to_pylist())
    for link in page.all("a"):
        target = str(link.attributes["href"])
        assert target[1:] in ids if target.startswith("#") else target in addresses, target


def test_the_page_is_the_same_twice() -> None:
    tables, floors = evaluated()
    known = {name: floor.known_error() for name, floor in floors.items()}
    again = evaluation_figures(tables, known)
    assert evaluation_page(tables, catalog().sources, again, floors, FACTS) == written()


def test_names_that_are_code_stay_text(page: Page) -> None:
    assert "<script" not in written()
    assert any(HOSTILE in str(cell) for cell in page.all("td", "th"))


def test_headings_stand_in_order_and_ids_are_unique(page: Page) -> None:
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4")]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = page.having("id")
    assert len(set(ids)) == len(ids)
    assert {name for value in page.having("aria-labelledby") for name in value.split()} <= set(ids)


def test_every_score_of_hours_energy_and_carbon_stands_in_a_row(page: Page) -> None:
    rows = [str(row) for row in page.all("tr")]
    for row in evaluated()[0]["evaluation_score"].to_pylist():
        if row["family_error"] is not None:
            count = f"{row['scored_runs']} ({row['scored_families']}) {row['family_error']:.3f}"
            assert any(count in one for one in rows), row


def test_what_is_in_sample_not_independent_or_left_out_says_so(page: Page) -> None:
    rows = [str(row) for row in page.all("tr")]
    assert sum("in-sample" in row for row in rows) == 2 * 4  # scores by family, and by run
    assert all("Table 1 as published" in row for row in rows if "in-sample" in row)
    assert sum("not independent" in row and "Pooled measured fractions" in row for row in rows) == 2
    assert sum("needs scikit-learn" in row for row in rows) == 4


def answers(**changes: dict[str, float]) -> list[str]:
    """First words of a page on which every method errs by 0.5 but those changed, of all runs with families left out."""
    tables, floors = evaluated()
    rows = [
        row
        if (row["evaluated_quantity"], row["split"], row["subset"]) != ("device_hours", "family", "all")
        else row | ERRS_BY_HALF | changes.get(row["evaluated_method"].replace("-", "_"), {})
        for row in tables["evaluation_score"].to_pylist()
    ]
    changed = dict(tables) | {"evaluation_score": score_table(rows)}
    page = Page(evaluation_page(changed, catalog().sources, {}, floors, FACTS))
    leads = [str(one) for one in page.all("p") if one.attributes.get("class") == "lead"]
    return [lead for lead in leads if lead.startswith("All scored runs (ii)")]


ERRS_BY_HALF = {
    "scored_runs": 72,
    "scored_families": 49,
    "family_error": 0.5,
    "family_error_low": 0.4,
    "family_error_high": 0.6,
    "family_error_difference": -0.25,
    "family_error_difference_low": -0.3,
    "family_error_difference_high": -0.2,
}


def test_the_first_words_say_which_method_errs_least_by_how_much_and_how_sure_that_is() -> None:
    ours = {"family_error": 0.25, "family_error_low": 0.2, "family_error_high": 0.31}
    (said,) = answers(
        calibrated=ours, device_median={"family_error": 0.3}, opencarboneval={"family_error": 0.1}
    )
    assert said.replace(MINUS, "-") == (
        "All scored runs (ii): the calibrated method errs least, typically by a factor of 1.28 either way. "
        "E is 0.250 (0.20 to 0.31) on 72 runs of 49 families. Next comes median utilisation of the device with 0.300; "
        "the difference, -0.250 (-0.30 to -0.20), is more than chance."
    )


def test_the_first_words_name_another_method_where_it_errs_less() -> None:
    better = {"family_error": 0.25, "family_error_difference": 0.05}
    span = {"family_error_difference_low": -0.01, "family_error_difference_high": 0.1}
    fewer = {"family_error": 0.2, "scored_runs": 57}
    (said,) = answers(
        calibrated={"family_error": 0.3}, opencarboneval_refitted=better | span, llmcarbon=fewer
    )
    assert "OpenCarbonEval's form, refitted errs least, typically by a factor of 1.28" in said
    assert said.replace(MINUS, "-").endswith(
        "Next comes the calibrated method with 0.300; the calibrated method less OpenCarbonEval's form, refitted, "
        "0.050 (-0.01 to 0.10), may be chance."
    )


def test_what_flatters_and_what_is_in_sample_is_explained(page: Page) -> None:
    meanings = dict(zip(map(str, page.all("dt")), map(str, page.all("dd")), strict=True))
    assert "were measured on these same runs" in meanings["A little flattered"]
    assert "may be among them" in meanings["in-sample"]
    assert "10 times the distance" in meanings["Interval score"]  # 2 / (1 - 0.8)


def test_the_floor_is_said_in_words() -> None:
    _, floors = evaluated()
    for floor in floors.values():
        assert f"told from {floor.families} of them" in written()


def test_facts_of_the_run_stand_at_the_foot(page: Page) -> None:
    assert "frozen rows: no, sha256 0123" in str(page.all("footer")[0])


def test_a_missing_table_is_named() -> None:
    tables, floors = evaluated()
    some = {name: one for name, one in tables.items() if name != "evaluation_fleet"}
    with pytest.raises(ConfigError, match="the page needs the tables evaluation_fleet"):
        evaluation_page(some, catalog().sources, {}, floors, {})


# --- its figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_every_text_stands_inside_the_figure_and_covers_no_other(name: str, width: Width) -> None:
    figure = draw(name, width)
    full_width, full_height = figure.bbox.size
    boxes = [(text, box(text)) for text in texts(figure)]
    for text, (left, bottom, right, top) in boxes:
        assert left >= -1, text
        assert bottom >= -1, text
        assert right <= full_width + 1, text
        assert top <= full_height + 1, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        along = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        smaller = min((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
        assert across * along <= 0.03 * smaller, (one, other)


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_the_legend_stands_clear_of_the_axes(name: str, width: Width) -> None:
    figure = draw(name, width)
    (legend,) = figure.legends
    for axes in figure.axes:
        area = axes.get_tightbbox()
        assert area is not None
        assert not legend.get_window_extent().overlaps(area)


def test_every_drawing_has_a_name_a_description_and_colours_for_dark_pages() -> None:
    assert list(drawn()) == list(EVALUATION_CAPTIONS)
    for name, drawings in drawn().items():
        for drawing in drawings:
            tree = ElementTree.fromstring(drawing)  # noqa: S314  # written by this package a moment ago
            title, words = (tree.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))
            assert title is not None
            assert title.text == EVALUATION_CAPTIONS[name].title
            assert words is not None
            assert len(str(words.text)) > 40
            colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", drawing))
            assert colours <= set(DARK), colours - set(DARK)


def test_the_dots_of_errors_are_the_scores() -> None:
    rows = [
        row["family_error"]
        for row in evaluated()[0]["evaluation_score"].to_pylist()
        if row["evaluated_quantity"] == "device_hours"
        and row["subset"] == "all"
        and row["family_error"] is not None
        and not (row["is_in_sample"] and row["split"] == "organisation")
    ]
    (_, panel) = draw("errors", "wide").axes
    marks = [
        float(np.asarray(line.get_xdata())[0])
        for line in panel.get_lines()
        if line.get_marker() in ("o", "D", "x")
    ]
    assert sorted(marks) == pytest.approx(sorted(rows))


def test_empty_tables_draw_empty_figures_and_a_page() -> None:
    tables, floors = evaluated()
    empty = {name: one.slice(0, 0) for name, one in tables.items()}
    figures = evaluation_figures(empty, dict.fromkeys(floors, None))
    assert "<h1>" in evaluation_page(empty, catalog().sources, figures, {}, {})
