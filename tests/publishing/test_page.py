"""The page of the reproduction: one file, complete, escaped, in order for those who listen to it."""

import itertools
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from opencarbon.errors import ConfigError
from opencarbon.estimation.reproduction import Finding
from opencarbon.publishing.figures import CAPTIONS, reproduction_figures
from opencarbon.publishing.page import reproduction_page
from opencarbon.publishing.render import heading, safe_url, view
from opencarbon.tables.reproduction import REPRODUCED
from tests.publishing.reproduction_samples import (
    EMBODIED,
    FINDINGS,
    HOSTILE,
    sample_embodied,
    sample_estimates,
    sample_sources,
    sample_tables,
)

FACTS = {"Version": "0.1.0", "Data of": "2026-11-25"}
MOST_BYTES = 3_000_000
VOID = {"meta", "link", "br", "path", "use", "img"}


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str | None]
    text: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return re.sub(r"[ \n]+", " ", "".join(self.text)).strip()


class Page(HTMLParser):
    """Every element of a page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop().tag == tag
        if tag in {"dt", "dd"}:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text.append(data)

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def having(self, attribute: str) -> list[str]:
        return [
            value for element in self.elements if (value := element.attributes.get(attribute)) is not None
        ]


def tables() -> dict[str, pa.Table]:
    more = {"method_estimate": sample_estimates(), "dim_device_embodied": sample_embodied()}
    return dict(sample_tables()) | more


@cache
def drawn() -> dict[str, tuple[str, str]]:
    return reproduction_figures(tables(), EMBODIED)


@cache
def written() -> str:
    return reproduction_page(tables(), sample_sources(), drawn(), FINDINGS, FACTS)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(written())


# --- one file --------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing(page: Page) -> None:
    assert not page.all("script", "iframe", "object", "embed", "img", "image", "base", "form")
    assert set(page.having("src")) == set()
    assert [link.attributes["href"] for link in page.all("link")] == ["data:,"]
    (style,) = page.all("style")
    assert not re.search(r"url\(|@import|@font-face", str(style))
    assert set(re.findall(r"url\(([^)]*)\)", written())) == {
        address for address in re.findall(r"url\(([^)]*)\)", written()) if address.startswith("#")
    }


def test_links_lead_within_the_page_or_to_a_source(page: Page) -> None:
    ids = set(page.having("id"))
    addresses = set(sample_sources()["url"].to_pylist())
    for link in page.all("a"):
        target = str(link.attributes["href"])
        assert target[1:] in ids if target.startswith("#") else target in addresses, target
    assert "https://epoch.ai/data/ai-models" in [link.attributes["href"] for link in page.all("a")]


def test_the_page_is_small_and_the_same_twice() -> None:
    assert len(written().encode()) < MOST_BYTES
    again = reproduction_page(
        tables(), sample_sources(), reproduction_figures(tables(), EMBODIED), FINDINGS, FACTS
    )
    assert written() == again


# --- escaped ---------------------------------------------------------------------------------------------------------


def test_names_that_are_code_stay_text(page: Page) -> None:
    assert "<script" not in written()
    assert HOSTILE in [str(cell) for cell in page.all("th")]
    assert any(HOSTILE in str(article) for article in page.all("article"))
    assert not page.all("b")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://epoch.ai", "https://epoch.ai"),
        ("HTTP://epoch.ai", "HTTP://epoch.ai"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//epoch.ai", None),
        (None, None),
    ],
)
def test_addresses_of_the_web_alone_become_links(url: str | None, safe: str | None) -> None:
    assert safe == safe_url(url)


# --- for those who listen --------------------------------------------------------------------------------------------


def test_headings_stand_in_order(page: Page) -> None:
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert [str(element) for element in page.all("h2")] == [
        "What was found",
        "The paper's tables, cell by cell",
        "The paper's figures, drawn again",
        "How wrong are the predictions?",
        "Training computation, counted again",
        "Methods",
        "Sources and licences",
    ]


def test_the_page_names_its_language_and_can_be_skipped_to_its_content(page: Page) -> None:
    (root,) = page.all("html")
    (main,) = page.all("main")
    assert root.attributes["lang"] == "en"
    assert page.all("a")[0].attributes == {"class": "skip", "href": f"#{main.attributes['id']}"}


def test_ids_are_unique_and_every_label_finds_its_words(page: Page) -> None:
    ids = page.having("id")
    assert len(set(ids)) == len(ids)
    assert {name for value in page.having("aria-labelledby") for name in value.split()} <= set(ids)


def test_every_table_has_a_caption_scopes_and_a_box_that_scrolls_by_keyboard(page: Page) -> None:
    boxes = [element for element in page.all("div") if element.attributes.get("class") == "scroll"]
    assert len(page.all("table")) == len(page.all("caption")) == len(boxes) > 10
    assert all(str(caption) for caption in page.all("caption"))
    assert all(cell.attributes.get("scope") in {"col", "row", "rowgroup"} for cell in page.all("th"))
    for box in boxes:
        assert box.attributes["role"] == "region"
        assert box.attributes["tabindex"] == "0"
        assert str(box.attributes["aria-labelledby"]).endswith("-caption")


def test_every_figure_has_a_name_a_description_and_its_data(page: Page) -> None:
    figures = page.all("figure")
    assert [str(element.attributes["id"]) for element in figures] == [
        name.replace("_", "-") for name in CAPTIONS
    ]
    assert len(page.all("svg")) == len(page.all("desc")) == 2 * len(figures)
    assert len(page.all("details")) == len(figures)
    for name, element in zip(CAPTIONS, figures, strict=True):
        assert CAPTIONS[name].title in str(element)
        assert CAPTIONS[name].text in str(element)


def test_heads_of_columns_carry_units_and_meanings() -> None:
    head = heading("carbon_intensity_gco2e_per_kwh")
    assert (head.text, head.unit, head.numeric) == ("Carbon intensity", "gCO₂e/kWh", True)
    assert head.meaning == "Carbon intensity of electricity, mean over the time it applies to."
    assert (heading("log10_alpha").text, heading("log10_alpha").unit) == ("log₁₀ alpha", "log₁₀(1/s)")
    assert (heading("training_flop").text, heading("training_flop").unit) == ("Training FLOP", None)
    assert heading("model").unit is None


def test_a_view_says_null_as_a_dash_and_not_as_zero() -> None:
    known = view(sample_tables()["figure_1"], "Models")
    (row,) = [row for row in known.groups[0].rows if row[-2].text == "The device is not in the catalog."]
    by_name = dict(zip(sample_tables()["figure_1"].column_names, row, strict=True))
    assert by_name["operational_kgco2e"].text == "\u2013"
    assert by_name["operational_kgco2e"].numeric


# --- what it says ----------------------------------------------------------------------------------------------------


def test_every_cell_of_the_paper_is_shown_and_those_that_differ_are_marked_in_words(page: Page) -> None:
    cells = sample_tables()["paper_cell"].to_pylist()
    rows = [str(row) for row in page.all("tr")]
    for cell in (one for one in cells if one["recomputed_value"] is not None):
        quantity = f"OpenCarbonEval ({cell['unit'].replace('CO2', 'CO₂')})"
        differs = abs(cell["difference_pct"]) > 1
        assert any(row.startswith(quantity) and ("differs" in row) == differs for row in rows)
    badges = [element for element in page.all("span") if element.attributes.get("class") == "badge"]
    off = sum(abs(row["ratio"] - 1) > 0.1 for row in sample_tables()["training_compute"].to_pylist())
    assert len([str(badge) for badge in badges if str(badge) == "differs"]) == 6 + off
    assert "OpenCarbonEval (tCO₂e) 276.92 223.84 307.38 \u221219.2\u202f% differs" in rows
    assert "OpenCarbonEval (tCO₂e) 1\u202f966.17 1\u202f966.17 2\u202f182.45 0\u202f%" in rows
    assert "Of 12 cells that follow from stated inputs, 6 agree within 1 %" in written()


def test_subjects_stand_in_the_order_of_the_paper(page: Page) -> None:
    groups = [str(cell) for cell in page.all("th") if cell.attributes.get("scope") == "rowgroup"]
    assert groups[:9] == ["TPUv2", "TPUv3", "TPUv4", "K80", "P100", "V100", "A100", "H100", "GLM"]


def test_findings_show_their_figures(page: Page) -> None:
    first, second = page.all("article")[:2]
    assert str(first) == (
        "The FLOP of GLM and BLOOM are exchanged With the FLOP that Table 2 states, GLM comes out at 223.8 t; the "
        "published 276.9 t needs BLOOM's. GLM, as published 276.9 tCO₂e with its own FLOP 223.8 tCO₂e error \u221212.9 %"
    )
    assert "not reproduced" in str(second)


def test_errors_stand_with_the_test_runs_in_the_fit_and_left_out(page: Page) -> None:
    rows = [str(row) for row in page.all("tr")]
    assert "OpenCarbonEval, as published 275 +7\u202f% 226.2 \u221212\u202f%" in rows  # GLM, actual 257 t
    assert "OpenCarbonEval, as published \u2013 14.5 % \u2013 27 %" in rows  # means of 7..22 and of 12..42


def test_sources_are_listed_with_licence_and_the_words_they_ask_for(page: Page) -> None:
    items = [str(item) for item in page.all("li")]
    assert "Data on AI Models epoch-ai-models. Licence: CC BY 4.0." in items
    assert "Epoch AI, 'Data on AI Models', CC BY 4.0" in items
    assert "A source that no table names" not in written()


def test_facts_of_the_run_stand_at_the_foot(page: Page) -> None:
    assert "Version: 0.1.0; Data of: 2026-11-25" in str(page.all("footer")[0])


def test_a_page_without_findings_or_rows_still_stands() -> None:
    empty = {name: table.slice(0, 0) for name, table in sample_tables().items()}
    page = Page(reproduction_page(empty, sample_sources().slice(0, 0), {}, (), {}))
    assert "Nothing beyond the tables below." in str(page.all("main")[0])


# --- refused ---------------------------------------------------------------------------------------------------------


def test_a_missing_table_is_named() -> None:
    some = {name: table for name, table in sample_tables().items() if name != "figure_6"}
    with pytest.raises(ConfigError, match="the page needs the tables figure_6"):
        reproduction_page(some, sample_sources(), {}, (), {})
    assert "figure_6" in REPRODUCED


def test_a_figure_without_a_caption_is_named() -> None:
    with pytest.raises(ConfigError, match="no caption for the figures figure_9"):
        reproduction_page(sample_tables(), sample_sources(), {"figure_9": ("", "")}, [Finding("", "")], {})


def test_without_jinja_the_error_says_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['jinja2'] = None\nfrom opencarbon.publishing.render import render\n"
        "render('reproduction.html')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError" in done.stderr
    assert "pip install 'opencarbon[report]'" in done.stderr
