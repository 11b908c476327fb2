"""The report of a run under the hands of a reader: by keyboard, by a checker of accessibility, without scripts."""

import csv
import io
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from opencarbon.publishing.report import report_page
from tests.browser.test_pages import PHONE, SCREEN
from tests.example import Release
from tests.publishing.report_runs import HOSTILE, long_queue, renamed

pytestmark = pytest.mark.slow

HARMFUL = ("=", "+", "-", "@", "\t", "\r")


def opened(browser: Chrome, page: Path, *, width: int = SCREEN, scheme: str = "light") -> Chrome:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width != SCREEN},
    )
    media = {"media": "screen", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(page.as_uri())
    return browser


def written(run: Path, page: Path) -> Path:
    page.write_text(report_page(run), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def report(example: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(example.latest, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def odd(example: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    return written(renamed(example, folder / "run"), folder / "report.html")


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    return written(long_queue(folder / "run", 10_000), folder / "report.html")


def column(browser: Chrome, at: int) -> list[str]:
    script = "return [...document.querySelectorAll('#jobs-table tbody tr')].map(row => row.cells[arguments[0]].firstChild.data)"
    found: list[str] = browser.execute_script(script, at)
    return found


def count(browser: Chrome) -> str:
    return browser.find_element(By.ID, "jobs-count").text.replace("\u202f", " ")


def press(browser: Chrome, *keys: str) -> None:
    chain = ActionChains(browser)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


@pytest.mark.parametrize(
    ("width", "scheme"), [(SCREEN, "light"), (SCREEN, "dark"), (PHONE, "light"), (PHONE, "dark")]
)
def test_a_checker_of_accessibility_finds_nothing_serious(
    browser: Chrome, report: Path, width: int, scheme: str
) -> None:
    opened(browser, report, width=width, scheme=scheme)
    browser.execute_script(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found: dict[str, Any] = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run(document).then(done, problem => done({error: String(problem)}))"
    )
    assert len(found["passes"]) > 20
    assert [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found["violations"]] == []


class TestKeyboard:
    def test_searching_narrows_the_jobs_and_says_how_many_there_are(
        self, browser: Chrome, report: Path
    ) -> None:
        opened(browser, report).find_element(By.ID, "jobs-search").send_keys("swedencentral GPT")
        jobs = column(browser, 0)
        assert {"gpt-4", "gpt-3-5"} <= set(jobs)
        assert count(browser) == f"1 to {len(jobs)} of {len(jobs)} jobs found"
        press(browser, *[Keys.BACKSPACE] * 17, "nothing of the kind")
        assert column(browser, 0) == []
        assert count(browser) == "No job is found."

    def test_every_head_is_reached_by_tab_and_sorts_by_enter(self, browser: Chrome, report: Path) -> None:
        opened(browser, report).find_element(By.ID, "jobs-csv").send_keys(Keys.TAB)  # the box that scrolls
        heads = ("Job", "Do", "Saves", "Planned", "From", "To", "Start (UTC)", "Device", "Late")
        for head in heads:
            press(browser, Keys.TAB)
            assert browser.switch_to.active_element.text == head
        press(browser, Keys.ENTER)
        assert sort_of(browser) == {"Late": "descending"}
        risks = [int(text.partition(" ")[0]) for text in column(browser, 8) if "%" in text]
        assert risks == sorted(risks, reverse=True)
        press(browser, Keys.SPACE)
        assert sort_of(browser) == {"Late": "ascending"}
        risks = [int(text.partition(" ")[0]) for text in column(browser, 8) if "%" in text]
        assert risks == sorted(risks)

    def test_words_sort_from_a_to_z_and_what_is_unknown_comes_last(
        self, browser: Chrome, report: Path
    ) -> None:
        opened(browser, report)
        press_head(browser, "To")
        regions = column(browser, 5)
        known = [region for region in regions if ":" in region]
        assert known == sorted(known)
        assert regions[: len(known)] == known
        assert len(known) < len(regions)

    def test_ten_thousand_jobs_are_leafed_through(self, browser: Chrome, long: Path) -> None:
        opened(browser, long)
        assert count(browser) == "1 to 50 of 10 000 jobs"
        first = column(browser, 0)
        assert len(first) == 50
        browser.find_element(By.ID, "jobs-after").send_keys(Keys.ENTER)
        assert count(browser) == "51 to 100 of 10 000 jobs"
        assert not set(first) & set(column(browser, 0))
        browser.find_element(By.ID, "jobs-before").send_keys(Keys.ENTER)
        assert column(browser, 0) == first


class TestNames:
    def test_hostile_names_are_text_wherever_they_stand(self, browser: Chrome, odd: Path) -> None:
        opened(browser, odd)
        assert browser.execute_script("return window.broken === undefined && document.images.length === 0")
        shown = set(column(browser, 0))
        assert set(HOSTILE) <= shown

    def test_what_is_found_is_downloaded_as_a_harmless_table(
        self, browser: Chrome, odd: Path, tmp_path: Path
    ) -> None:
        behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        opened(browser, odd).find_element(By.ID, "jobs-csv").send_keys(Keys.ENTER)
        path = tmp_path / "jobs.csv"
        for _ in range(400):
            if path.exists() and path.stat().st_size:
                break
            time.sleep(0.05)
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
        assert len(rows) == 46
        names = {row["job_id"] for row in rows}
        assert {f"'{name}" if name.startswith(HARMFUL) else name for name in HOSTILE} <= names
        for row in rows:
            for name, cell in row.items():
                number = name.endswith(("_kgco2e", "_count", "_risk"))
                assert number or not cell.startswith(HARMFUL)
        assert any(float(row["saving_kgco2e"] or 0) > 1000 for row in rows)


class TestWithoutScripts:
    @pytest.fixture
    def deaf(self, browser: Chrome) -> Iterator[Chrome]:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        yield browser
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def test_the_jobs_that_emit_most_stand_there(self, deaf: Chrome, long: Path) -> None:
        opened(deaf, long)
        assert len(deaf.find_elements(By.CSS_SELECTOR, "#jobs-table tbody tr")) == 50
        assert not deaf.find_element(By.ID, "jobs-search").is_displayed()
        assert "Without scripts" in deaf.find_element(By.TAG_NAME, "noscript").text


def test_scripts_write_the_rows_that_stand_there_without_them(browser: Chrome, report: Path) -> None:
    opened(browser, report)
    script = """
        const rows = page => [...page.querySelectorAll('#jobs-table tbody tr')]
          .map(row => [...row.cells].map(cell => cell.textContent.trim()));
        const page = new DOMParser().parseFromString(arguments[0], 'text/html');
        return [rows(document), rows(page)];
    """
    scripted, written = browser.execute_script(script, report.read_text(encoding="utf-8"))
    assert scripted == written


def sort_of(browser: Chrome) -> dict[str, str]:
    script = "return [...document.querySelectorAll('#jobs-table th[aria-sort]')].map(head => [head.textContent, head.ariaSort])"
    return dict(browser.execute_script(script))


def press_head(browser: Chrome, text: str) -> None:
    for button in browser.find_elements(By.CSS_SELECTOR, "#jobs-table thead button"):
        if button.text == text:
            button.send_keys(Keys.ENTER)
            return
    raise AssertionError(f"no head {text}")
