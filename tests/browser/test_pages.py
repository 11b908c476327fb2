"""The pages in a browser: of the reproduction, of the evaluation and of a run, on a screen and on a phone, by day and by night."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from opencarbon.publishing.figures import CAPTIONS, Caption
from opencarbon.publishing.figures.evaluation import EVALUATION_CAPTIONS
from opencarbon.publishing.figures.hours import TITLE
from opencarbon.publishing.report import report_page
from tests.example import example_once
from tests.pipeline.pages import reproduced_once
from tests.publishing import report_runs, test_evaluation_page, test_page

pytestmark = pytest.mark.slow

SCREEN, PHONE, SMALL_PHONE = 1280, 390, 360
SIZES = [(width, scheme) for width in (SCREEN, PHONE, SMALL_PHONE) for scheme in ("light", "dark")]


def reproduced(factory: pytest.TempPathFactory) -> Mapping[int, Path]:
    """The page as the command makes it; on the small phone one with the oddest names."""
    made = reproduced_once(factory).page
    odd = factory.mktemp("odd") / "odd.html"
    odd.write_text(test_page.written(), encoding="utf-8")
    return {SCREEN: made, PHONE: made, SMALL_PHONE: odd}


def evaluated(factory: pytest.TempPathFactory) -> Mapping[int, Path]:
    """A page of planted runs, one of them with the oddest name: the real ones take half a minute to predict."""
    page = factory.mktemp("evaluated") / "evaluated.html"
    page.write_text(test_evaluation_page.written(), encoding="utf-8")
    return dict.fromkeys((SCREEN, PHONE, SMALL_PHONE), page)


def reported(factory: pytest.TempPathFactory) -> Mapping[int, Path]:
    """The report of the example; on the small phone with the oddest names."""
    example = example_once(factory)
    folder = factory.mktemp("reported")
    odd = report_runs.renamed(example, folder / "odd")
    for name, run in (("report", example.latest), ("odd", odd)):
        (folder / f"{name}.html").write_text(report_page(run), encoding="utf-8")
    made = folder / "report.html"
    return {SCREEN: made, PHONE: made, SMALL_PHONE: folder / "odd.html"}


@dataclass(frozen=True)
class Kind:
    """A page by width, its figures, and how much of it there is at least."""

    write: Callable[[pytest.TempPathFactory], Mapping[int, Path]]
    captions: Mapping[str, Caption]
    texts_of_drawings: int
    texts: int


KINDS = {
    "reproduction": Kind(reproduced, CAPTIONS, 150, 300),
    "evaluation": Kind(evaluated, EVALUATION_CAPTIONS, 60, 300),
    "report": Kind(reported, {"hours": Caption("", TITLE, "")}, 15, 300),
}
EVERY = [(kind, width, scheme) for kind in KINDS for width, scheme in SIZES]

TEXTS = """
return [...document.querySelectorAll('svg text')]
  .filter(text => text.checkVisibility() && text.textContent.trim())
  .map(text => ({
    words: text.textContent,
    px: parseFloat(getComputedStyle(text).fontSize) * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b),
    fill: getComputedStyle(text).fill, box: text.getBoundingClientRect().toJSON(),
    frame: text.ownerSVGElement.getBoundingClientRect().toJSON(),
  }))
"""
SHOWN = """
return [...document.querySelectorAll('figure')].map(figure => [...figure.querySelectorAll('svg')]
  .filter(svg => svg.checkVisibility()).map(svg => svg.viewBox.baseVal.width))
"""
LUMINANCE = """
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const linear = part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
const luminance = colour => { const [r, g, b] = numbers(colour).map(linear); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = element => { for (; element; element = element.parentElement) {
  const style = getComputedStyle(element), colour = style.backgroundColor;
  if (!colour.startsWith('rgba') || numbers(colour)[3] === 1) return colour; } return 'rgb(255, 255, 255)'; };
const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
return [...document.querySelectorAll('body *')]
  .filter(element => element.checkVisibility() && own(element))
  .map(element => {
    const style = getComputedStyle(element), svg = element.namespaceURI.endsWith('svg');
    const [low, high] = [luminance(svg ? style.fill : style.color), luminance(behind(element))].sort((a, b) => a - b);
    return [element.textContent.slice(0, 60), (high + 0.05) / (low + 0.05)];
  })
"""


@dataclass(frozen=True)
class Shown:
    """A page in the browser."""

    browser: Chrome
    kind: Kind
    width: int


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mapping[int, Path]]:
    return {name: kind.write(tmp_path_factory) for name, kind in KINDS.items()}


@pytest.fixture(
    scope="module", params=EVERY, ids=[f"{kind}-{width}-{scheme}" for kind, width, scheme in EVERY]
)
def shown(request: pytest.FixtureRequest, browser: Chrome, pages: dict[str, Mapping[int, Path]]) -> Shown:
    """A page at a width, by day or by night; opened once, so that a test leaves it as it was."""
    name, width, scheme = request.param
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # what was said before is forgotten
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width != SCREEN},
    )
    media = {"media": "screen", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(pages[name][width].as_uri())
    return Shown(browser, KINDS[name], width)


def ask(shown: Shown, script: str) -> Any:
    return shown.browser.execute_script(script)


def test_the_page_never_scrolls_sideways(shown: Shown) -> None:
    opened = "document.querySelectorAll('details').forEach(one => { one.open = %s; })"
    ask(shown, opened % "true")
    page = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scrolls, fits = ask(shown, page)
    assert scrolls == fits <= shown.width
    ask(shown, "window.scrollTo(500, 0)")
    assert ask(shown, "return window.scrollX") == 0
    ask(shown, opened % "false")


def test_wide_tables_scroll_in_their_own_box_with_the_head_of_the_row_in_view(shown: Shown) -> None:
    lefts = ask(
        shown,
        """
        const found = [];
        for (const box of document.querySelectorAll('.scroll')) {
          if (!box.checkVisibility() || box.scrollWidth <= box.clientWidth) continue;
          box.scrollLeft = 9999;
          found.push([box.scrollLeft, box.querySelector('tbody th[scope=row]').getBoundingClientRect().left
            - box.getBoundingClientRect().left]);
          box.focus();
          found.push([1, document.activeElement === box ? 0 : 99]);
        }
        return found;
        """,
    )
    assert all(scrolled > 0 and abs(left) <= 2 for scrolled, left in lefts), lefts
    assert lefts or shown.width == SCREEN


def test_the_drawing_for_the_width_is_the_one_shown(shown: Shown) -> None:
    assert ask(shown, SHOWN) == [[960 if shown.width == SCREEN else 344]] * len(shown.kind.captions)


def test_no_visible_text_of_a_drawing_is_smaller_than_eleven_pixels(shown: Shown) -> None:
    texts = ask(shown, TEXTS)
    assert len(texts) > shown.kind.texts_of_drawings
    assert min((text["px"], text["words"]) for text in texts) >= (11.0, "")


def test_texts_stay_inside_their_drawing_with_the_fonts_of_the_browser(shown: Shown) -> None:
    for text in ask(shown, TEXTS):
        box, frame = text["box"], text["frame"]
        assert box["left"] >= frame["left"] - 2, text
        assert box["right"] <= frame["right"] + 2, text
        assert box["top"] >= frame["top"] - 2, text
        assert box["bottom"] <= frame["bottom"] + 2, text


def test_all_text_stands_out_from_what_is_behind_it(shown: Shown) -> None:
    ratios = ask(shown, LUMINANCE)
    assert len(ratios) > shown.kind.texts
    assert [(words, ratio) for words, ratio in ratios if ratio < 4.5] == []  # WCAG 2.2, 1.4.3


def test_the_console_stays_silent(shown: Shown) -> None:
    assert shown.browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_every_figure_and_its_drawing_have_an_accessible_name(shown: Shown) -> None:
    captions = shown.kind.captions
    nodes = shown.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named: dict[str, list[str]] = {"figure": [], "image": []}
    for node in nodes:
        role = str(node.get("role", {}).get("value", "")).lower().replace("img", "image")
        if not node["ignored"] and role in named:
            named[role].append(node["name"]["value"])
    assert len(named["figure"]) == len(named["image"]) == len(captions)
    for caption, figure, image in zip(captions.values(), named["figure"], named["image"], strict=True):
        assert caption.title in figure
        assert caption.title in image
        assert len(image) > len(figure) + 40


@pytest.mark.parametrize("shown", [(kind, SCREEN, "light") for kind in KINDS], ids=list(KINDS), indirect=True)
def test_printed_it_shows_the_wide_drawings_on_several_sheets(shown: Shown) -> None:
    shown.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert ask(shown, SHOWN) == [[960]] * len(shown.kind.captions)
    shown.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    sheets = shown.browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"]
    shown.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen", "features": []})
    printed = base64.b64decode(sheets)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 5
