"""Figures: nothing covers anything, everything has a unit and a name, twice the same."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from opencarbon.errors import ConfigError
from opencarbon.publishing.figures import (
    CAPTIONS,
    DARK,
    WIDTH_PX,
    Actual,
    EmbodiedFigure,
    alpha_and_throughput,
    alpha_by_run,
    alpha_distribution,
    describe,
    embodied_spread,
    emissions_by_score,
    emissions_over_time,
    methods_compared,
    reproduction_figures,
    to_svg,
)
from opencarbon.publishing.figures.marks import category_styles
from opencarbon.publishing.figures.style import CARD, COLOURS, WIDTHS, Width
from tests.publishing.reproduction_samples import (
    EMBODIED,
    HOSTILE,
    LANGUAGE,
    METHODS,
    TASKS,
    VISION,
    sample_estimates,
    sample_tables,
)

LEAST_TEXT_PX = 11.0
NAMES = ("figure_1", "figure_4", "figure_5", "figure_6", "figure_7", "compare", "embodied")
EVERY = [(name, width) for name in NAMES for width in WIDTHS]
SVG = "{http://www.w3.org/2000/svg}"


@cache
def draw(name: str, width: Width) -> Figure:
    return draw_from(sample_tables(), name, width)


REPORTED = Actual(device_hours=1e6, kgco2e=3e5)


def draw_from(tables: dict[str, pa.Table], name: str, width: Width) -> Figure:
    match name:
        case "figure_1":
            return emissions_over_time(tables["figure_1"], width)
        case "figure_4":
            return alpha_by_run(tables["figure_4"], tables["figure_5"], width)
        case "figure_5":
            return alpha_distribution(tables["figure_4"], tables["figure_5"], width)
        case "figure_6":
            return alpha_and_throughput(tables["figure_6"], width)
        case "figure_7":
            return emissions_by_score(tables["figure_7"], width)
        case "compare":
            return methods_compared(tables.get("method_estimate", sample_estimates()), width, REPORTED)
    return embodied_spread(EMBODIED if "method_estimate" not in tables else (), width)


def texts(figure: Figure) -> list[Text]:
    """Every text that is seen, where it is seen."""
    figure.draw_without_rendering()
    unseen = set(_labels_beyond_their_axis(figure))
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text not in unseen]
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def _labels_beyond_their_axis(figure: Figure) -> Iterator[Text]:
    """Ticks beyond the limits of an axis keep their text and are not drawn."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                yield tick.label1


def box(text: Text) -> tuple[float, float, float, float]:
    """Where the words are, without the line that joins them to their point."""
    left, bottom, right, top = Text.get_window_extent(text).extents
    return left, bottom, right, top


def svg(figure: Figure) -> str:
    return to_svg(figure, "Title", "Description")


def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  # written by this package a moment ago


def bubbles(axes: Axes) -> list[tuple[float, float]]:
    """Emission, in t, and size of every mark of figure 1."""
    marks = [child for child in axes.get_children() if isinstance(child, PathCollection)]
    return [(np.asarray(mark.get_offsets())[0, 1].item(), mark.get_sizes().item(0)) for mark in marks]


# --- layout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_every_text_stands_inside_the_figure(name: str, width: Width) -> None:
    figure = draw(name, width)
    full_width, full_height = figure.bbox.size
    assert full_width == WIDTH_PX[width]
    for text in texts(figure):
        left, bottom, right, top = box(text)
        assert left >= -1, text
        assert bottom >= -1, text
        assert right <= full_width + 1, text
        assert top <= full_height + 1, text


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_no_text_covers_another(name: str, width: Width) -> None:
    for one, other in itertools.combinations(texts(draw(name, width)), 2):
        a, b = box(one), box(other)
        across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        along = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        smaller = min((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
        assert across * along <= 0.03 * smaller, (one, other)


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_the_legend_stands_clear_of_the_axes_and_their_words(name: str, width: Width) -> None:
    figure = draw(name, width)
    assert bool(figure.legends) == (
        name in {"figure_1", "figure_4", "figure_5", "figure_6", "compare", "embodied"}
    )
    for legend, axes in itertools.product(figure.legends, figure.axes):
        area = axes.get_tightbbox()
        assert area is not None
        assert not legend.get_window_extent().overlaps(area)


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_no_text_is_smaller_than_eleven_pixels(name: str, width: Width) -> None:
    assert min(float(text.get_fontsize()) for text in texts(draw(name, width))) >= LEAST_TEXT_PX


def test_both_drawings_have_the_same_size_of_text() -> None:
    sizes = {width: {text.get_fontsize() for text in texts(draw("figure_7", width))} for width in WIDTHS}
    assert sizes["wide"] == sizes["narrow"]


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_every_axis_says_its_unit(name: str, width: Width) -> None:
    kinds = {"Device", ""} if name in ("compare", "embodied") else {""}
    for axes in draw(name, width).axes:
        for label in (axes.get_xlabel(), axes.get_ylabel()):
            assert label in kinds or label.startswith("Device-hours") or re.search(r"\(.+\)", label), label


@pytest.mark.parametrize("name", ["figure_6", "figure_7"])
def test_panels_stand_side_by_side_when_wide_and_above_each_other_when_narrow(name: str) -> None:
    (wide_1, wide_2), (narrow_1, narrow_2) = (draw(name, width).axes for width in WIDTHS)
    assert wide_1.get_position().x1 < wide_2.get_position().x0
    assert narrow_1.get_position().y0 > narrow_2.get_position().y1


@pytest.mark.parametrize(("name", "width"), EVERY)
def test_tables_without_rows_draw_an_empty_figure(name: str, width: Width) -> None:
    empty = {one: table.slice(0, 0) for one, table in sample_tables().items()}
    empty["method_estimate"] = sample_estimates().slice(0, 0)
    assert tree(svg(draw_from(empty, name, width))).tag == f"{SVG}svg"


# --- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_figure_1_draws_every_model_with_an_emission_and_no_other(width: Width) -> None:
    rows = sample_tables()["figure_1"].to_pylist()
    known = [row["operational_kgco2e"] / 1e3 for row in rows if row["operational_kgco2e"] is not None]
    assert len(known) == len(rows) - 1
    drawn = [tonnes for tonnes, _ in bubbles(draw("figure_1", width).axes[0])]
    assert sorted(known) == pytest.approx(sorted(drawn))


def test_the_area_of_a_bubble_follows_its_emission() -> None:
    rows = sample_tables()["figure_1"].slice(0, 4).to_pylist()
    for row, kgco2e in zip(rows, (1e6, 4e5, 1e5, 3e5), strict=True):
        row |= {"task": "Chat", "operational_kgco2e": kgco2e}
    table = pa.Table.from_pylist(rows, schema=sample_tables()["figure_1"].schema)
    sizes = {round(tonnes): size for tonnes, size in bubbles(emissions_over_time(table, "wide").axes[0])}
    assert {tonnes: size / sizes[1000] for tonnes, size in sizes.items()} == pytest.approx(
        {1000: 1.0, 400: 0.4, 100: 0.1, 300: 0.3}
    )


def test_figure_1_names_the_largest_models_and_every_task() -> None:
    rows = sorted(
        (row for row in sample_tables()["figure_1"].to_pylist() if row["operational_kgco2e"]),
        key=lambda row: -row["operational_kgco2e"],
    )
    for width in WIDTHS:
        figure = draw("figure_1", width)
        written = {text.get_text() for text in texts(figure)}
        assert set(TASKS) <= written
        assert {row["model"] for row in rows[:2]} <= written


def test_kinds_differ_in_colour_and_shape_and_neighbours_in_both() -> None:
    styles = list(category_styles([str(i) for i in range(30)]).values())
    assert len(set(styles)) == 30
    fifteen = list(category_styles(TASKS).values())
    for (colour, marker), (next_colour, next_marker) in itertools.pairwise(fifteen):
        assert colour != next_colour
        assert marker != next_marker
    with pytest.raises(ConfigError, match="at most 30 kinds, here are 31"):
        category_styles([str(i) for i in range(31)])


@pytest.mark.parametrize(("colours", "card"), [(COLOURS, CARD), ([DARK[c] for c in COLOURS], DARK[CARD])])
def test_colours_of_marks_stand_out_from_the_card(colours: list[str], card: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for colour in colours:
        low, high = sorted((luminance(colour), luminance(card)))
        assert (high + 0.05) / (low + 0.05) >= 3.0, colour  # WCAG 2.2, 1.4.11


@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_not_used_does_not_stretch_the_axis_and_is_counted(width: Width) -> None:
    figure = draw("figure_4", width)
    assert figure.axes[0].get_xlim()[1] < 200
    said = [text.get_text() for text in texts(figure) if "beyond the axis" in text.get_text()]
    beyond = [
        run
        for run in sample_tables()["figure_4"].to_pylist()
        if run["log10_alpha"] > figure.axes[0].get_xlim()[1]
    ]
    assert said == [f"{len(beyond)} {'run' if len(beyond) == 1 else 'runs'} not used, beyond the axis"]


def test_figure_5_draws_the_interval_of_the_method_and_that_of_the_paper() -> None:
    (axes,) = draw("figure_5", "wide").axes
    spans = [tuple(np.asarray(line.get_xdata()).tolist()) for line in axes.lines]
    for row in sample_tables()["figure_5"].to_pylist():
        assert (row["log10_alpha_low"], row["log10_alpha_high"]) in spans
        published = row["published_log10_alpha_low"], row["published_log10_alpha_high"]
        assert (published in spans) == (published[0] is not None)


def test_figure_6_counts_the_runs_without_a_prediction() -> None:
    rows = sample_tables()["figure_6"].to_pylist()
    missing = sum(row["llmcarbon_tflop_per_s"] is None for row in rows)
    written = [text.get_text() for text in texts(draw("figure_6", "wide"))]
    assert f"no prediction for {missing} of {len(rows)} runs" in written


@pytest.mark.parametrize("width", WIDTHS)
def test_figure_7_names_every_model(width: Width) -> None:
    written = [text.get_text() for text in texts(draw("figure_7", width))]
    assert len(LANGUAGE) + len(VISION) == 18
    for model in (*LANGUAGE, *VISION):
        assert written.count(model) == 1


@pytest.mark.parametrize(("spread", "scale"), [(9.0, "linear"), (11.0, "log")])
def test_methods_that_differ_by_more_than_ten_stand_on_a_logarithmic_axis(spread: float, scale: str) -> None:
    figure = methods_compared(sample_estimates(spread), "wide")
    assert {scale} == {axes.get_xscale() for axes in figure.axes}


def test_hours_energy_and_emissions_share_the_rows_of_the_methods() -> None:
    hours, energy, emissions = methods_compared(sample_estimates(), "wide").axes
    assert [axes.get_xlabel() for axes in (hours, energy, emissions)] == [
        *(
            "Device-hours, logarithmic",
            "Energy with PUE (MWh), logarithmic",
            "Emissions in all (tCO₂e), logarithmic",
        )
    ]
    assert [text.get_text() for text in hours.get_yticklabels()] == list(METHODS)[:5]
    assert hours.get_ylim() == energy.get_ylim() == emissions.get_ylim()


def test_hours_as_stated_are_drawn_hollow_and_the_report_of_the_owner_as_a_line() -> None:
    hours, energy, emissions = methods_compared(sample_estimates(), "wide", REPORTED).axes
    faces = [line.get_markerfacecolor() for line in hours.lines if line.get_marker() == "o"]
    assert [face == "none" for face in faces] == [False, False, True, False, False]
    upright = [
        [line for line in axes.lines if line.get_linestyle() == "--"] for axes in (hours, energy, emissions)
    ]
    assert [len(lines) for lines in upright] == [1, 0, 1]
    assert np.ravel(upright[2][0].get_xdata())[0] == 300.0
    ticks = [np.ravel(line.get_xdata())[0] for line in emissions.lines if line.get_marker() == "|"]
    assert ticks[0] == pytest.approx(240.0)


@pytest.mark.parametrize("width", WIDTHS)
def test_methods_without_a_figure_say_why(width: Width) -> None:
    figure = draw("compare", width)
    words = " ".join(text.get_text() for text in figure.texts)
    assert (
        "codecarbon, green-algorithms: Needs the hours of the run, which the job does not state, and a country."
        in words
    )


def test_emissions_below_a_tonne_are_in_kilograms() -> None:
    large = small = sample_estimates(3.0)
    for name in small.column_names:
        if name.endswith(("_kgco2e", "_kwh")):
            place = small.column_names.index(name)
            small = small.set_column(place, small.schema.field(name), pc.divide(small[name], 1e4))
    labels = [[axes.get_xlabel() for axes in methods_compared(one, "wide").axes] for one in (large, small)]
    assert labels == [
        ["Device-hours", "Energy with PUE (MWh)", "Emissions in all (tCO₂e)"],
        ["Device-hours", "Energy with PUE (kWh)", "Emissions in all (kgCO₂e)"],
    ]


def test_embodied_figures_of_a_device_share_a_row_the_widest_spread_first() -> None:
    figures = [
        EmbodiedFigure("A", "lca", 100.0),
        EmbodiedFigure("B", "lca", 10.0),
        EmbodiedFigure("B", "die", 1.0),
    ]
    (axes,) = embodied_spread(figures, "wide").axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["B", "A"]


# --- as SVG ----------------------------------------------------------------------------------------------------------


def drawings() -> dict[str, tuple[str, str]]:
    return reproduction_figures(dict(sample_tables()) | {"method_estimate": sample_estimates()}, EMBODIED)


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[str, str]]:
    return drawings()


def test_every_figure_is_drawn_in_both_widths(drawn: dict[str, tuple[str, str]]) -> None:
    assert list(CAPTIONS) == list(drawn) == list(NAMES)
    for pair in drawn.values():
        assert [tree(text).get("width") for text in pair] == ["960", "344"]


def test_every_drawing_has_a_name_and_a_description(drawn: dict[str, tuple[str, str]]) -> None:
    for name, text in ((name, text) for name, pair in drawn.items() for text in pair):
        root = tree(text)
        title, description = root[0], root[1]
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert CAPTIONS[name].title in str(title.text)
        assert len(str(description.text)) > 40


def test_ids_are_unique_over_all_drawings_and_every_reference_finds_its_own(
    drawn: dict[str, tuple[str, str]],
) -> None:
    seen: list[str] = []
    for text in (text for pair in drawn.values() for text in pair):
        ids = re.findall(r'\bid="([^"]+)"', text)
        referred = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert referred
        assert set(referred) <= set(ids)
        seen += ids
    assert len(set(seen)) == len(seen)


def test_drawings_are_the_same_twice_and_whatever_the_style_of_the_user() -> None:
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        again = drawings()
    assert drawings() == again


def test_a_drawing_brings_no_style_sheet_no_date_and_no_prolog(drawn: dict[str, tuple[str, str]]) -> None:
    for text in (text for pair in drawn.values() for text in pair):
        assert text.startswith("<svg ")
        assert not re.search(r"<style|<metadata|<\?xml|<!DOCTYPE|<script|<image", text)
        assert set(re.findall(r'"(https?://[^"]*)"', text)) == {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_every_colour_of_a_drawing_has_one_for_dark_pages(drawn: dict[str, tuple[str, str]]) -> None:
    for text in (text for pair in drawn.values() for text in pair):
        assert set(re.findall(r"(?:fill|stroke): (#\w+)", text)) <= set(DARK)


def test_text_stays_text_and_names_are_escaped() -> None:
    rows = sample_tables()["figure_7"]
    names = [HOSTILE if name == "GPT-3" else name for name in rows["model"].to_pylist()]
    text = svg(emissions_by_score(rows.set_column(0, rows.schema.field("model"), pa.array(names)), "wide"))
    assert "<script" not in text
    assert HOSTILE in [element.text for element in tree(text).iter(f"{SVG}text")]
    assert "Llama 3-70B" in [element.text for element in tree(text).iter(f"{SVG}text")]
    assert "&lt;b&gt;" in to_svg(draw("compare", "wide"), "<b>", "<b>")


def test_the_description_says_the_extremes() -> None:
    assert describe("figure_7", sample_tables()) == (
        "Two scatter plots of emissions over scores: "
        "7 language models. The least is StarCoder with 18 tCO2e, the most Llama 3-70B with 1\u202f966 tCO2e. "
        "11 vision models. The least is ResNet-RS with 1.3 tCO2e, the most BASIC-L with 115 tCO2e."
    )


# --- without matplotlib ----------------------------------------------------------------------------------------------


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_figures_does_not_import_matplotlib() -> None:
    done = python(
        "import sys, opencarbon.publishing.figures, opencarbon.publishing.page; print(*sys.modules)"
    )
    assert not {"matplotlib", "jinja2"} & set(done.stdout.split())
    assert done.stdout


def test_drawing_never_imports_pyplot() -> None:
    done = python(
        "import sys\nfrom tests.publishing.test_figures import draw, svg\nsvg(draw('figure_5', 'wide'))\n"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert done.stdout == "True False\n", done.stderr


def test_without_matplotlib_the_error_says_what_to_install() -> None:
    done = python(
        "import sys\nsys.modules['matplotlib'] = None\nfrom opencarbon.publishing.figures import embodied_spread\n"
        "embodied_spread([], 'wide')"
    )
    assert "ConfigError" in done.stderr
    assert "pip install 'opencarbon[report]'" in done.stderr
