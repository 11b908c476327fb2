"""The page of the reproduction in a browser, on a screen and on a phone, by day and by night."""

import base64
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from opencarbon.pipeline.reproduce import reproduce
from opencarbon.publishing.figures import CAPTIONS
from opencarbon.settings import load_settings
from tests.publishing.test_page import written

pytestmark = pytest.mark.slow

SCREEN, PHONE, SMALL_PHONE = 1280, 390, 360
EVERY = [(width, scheme) for width in (SCREEN, PHONE, SMALL_PHONE) for scheme in ("light", "dark")]

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


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """By width: the page as the command makes it; on the small phone one with the oddest names."""
    folder: Path = tmp_path_factory.mktemp("page")
    made = reproduce(load_settings(), folder / "reproduced")
    odd = folder / "odd.html"
    odd.write_text(written(), encoding="utf-8")
    return {SCREEN: made.page.as_uri(), PHONE: made.page.as_uri(), SMALL_PHONE: odd.as_uri()}


@pytest.fixture(params=EVERY, ids=[f"{width}-{scheme}" for width, scheme in EVERY])
def shown(request: pytest.FixtureRequest, browser: Chrome, addresses: dict[int, str]) -> tuple[Chrome, int]:
    """The page at a width, by day or by night."""
    width, scheme = request.param
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # what was said before is forgotten
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width != SCREEN},
    )
    media = {"media": "screen", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(addresses[width])
    return browser, width


def ask(browser: Chrome, script: str) -> Any:
    return browser.execute_script(script)


def test_the_page_never_scrolls_sideways(shown: tuple[Chrome, int]) -> None:
    browser, width = shown
    ask(browser, "document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scrolls, fits = ask(browser, page)
    assert scrolls == fits <= width
    ask(browser, "window.scrollTo(500, 0)")
    assert ask(browser, "return window.scrollX") == 0


def test_wide_tables_scroll_in_their_own_box_with_the_head_of_the_row_in_view(
    shown: tuple[Chrome, int],
) -> None:
    browser, _ = shown
    lefts = ask(
        browser,
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
    assert lefts or shown[1] == SCREEN


def test_the_drawing_for_the_width_is_the_one_shown(shown: tuple[Chrome, int]) -> None:
    browser, width = shown
    assert ask(browser, SHOWN) == [[960 if width == SCREEN else 344]] * len(CAPTIONS)


def test_no_visible_text_of_a_drawing_is_smaller_than_eleven_pixels(shown: tuple[Chrome, int]) -> None:
    texts = ask(shown[0], TEXTS)
    assert len(texts) > 150
    assert min((text["px"], text["words"]) for text in texts) >= (11.0, "")


def test_texts_stay_inside_their_drawing_with_the_fonts_of_the_browser(shown: tuple[Chrome, int]) -> None:
    for text in ask(shown[0], TEXTS):
        box, frame = text["box"], text["frame"]
        assert box["left"] >= frame["left"] - 2, text
        assert box["right"] <= frame["right"] + 2, text
        assert box["top"] >= frame["top"] - 2, text
        assert box["bottom"] <= frame["bottom"] + 2, text


def test_all_text_stands_out_from_what_is_behind_it(shown: tuple[Chrome, int]) -> None:
    ratios = ask(shown[0], LUMINANCE)
    assert len(ratios) > 300
    assert [(words, ratio) for words, ratio in ratios if ratio < 4.5] == []  # WCAG 2.2, 1.4.3


def test_the_console_stays_silent(shown: tuple[Chrome, int]) -> None:
    assert shown[0].get_log("browser") == []  # type: ignore[no-untyped-call]


def test_every_figure_and_its_drawing_have_an_accessible_name(shown: tuple[Chrome, int]) -> None:
    nodes = shown[0].execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named: dict[str, list[str]] = {"figure": [], "image": []}
    for node in nodes:
        role = str(node.get("role", {}).get("value", "")).lower().replace("img", "image")
        if not node["ignored"] and role in named:
            named[role].append(node["name"]["value"])
    assert len(named["figure"]) == len(named["image"]) == len(CAPTIONS)
    for caption, figure, image in zip(CAPTIONS.values(), named["figure"], named["image"], strict=True):
        assert caption.title in figure
        assert caption.title in image
        assert len(image) > len(figure) + 40


def test_printed_it_shows_the_wide_drawings_on_several_sheets(
    browser: Chrome, addresses: dict[int, str]
) -> None:
    browser.get(addresses[SCREEN])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert ask(browser, SHOWN) == [[960]] * len(CAPTIONS)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 5
