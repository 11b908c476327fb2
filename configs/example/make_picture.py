"""Makes the pictures of the README: the example queue as its report and in the terminal, and the errors of `evaluate`.

The report is looked at in Chromium, which has to be there.

python configs/example/make_picture.py
"""

import base64
import io
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from rich.console import Console
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from opencarbon import pipeline
from opencarbon.cli.tables import print_outcome
from opencarbon.pipeline.evaluate import evaluate
from opencarbon.settings import load_settings

FOLDER = Path(__file__).parent
HEIGHT_PX = 1120
AS_OF = datetime(2026, 11, 16, tzinfo=UTC)


def main() -> None:
    """Draw all pictures."""
    advice()
    errors()


def errors() -> None:
    """Evaluate into a folder that is thrown away, and keep the drawing of the errors."""
    with tempfile.TemporaryDirectory() as root:
        evaluate(load_settings(), Path(root))
        (FOLDER / "errors.svg").write_bytes((Path(root) / "figures" / "errors.svg").read_bytes())


def advice() -> None:
    """Run the example in a folder that is thrown away, and keep its report and what it prints."""
    with tempfile.TemporaryDirectory() as root:
        settings = load_settings(
            FOLDER / "opencarbon.toml", {"publish": {"root": root}, "store": {"root": f"{root}/store"}}
        )
        with pipeline.night_of(
            settings, [str(FOLDER / "jobs.parquet")], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
        ) as night:
            outcome = pipeline.run_night(night)
        photograph(Path(str(outcome.report)))
    run = Path("out/example/v1/runs") / outcome.run_id
    shown = replace(outcome, directory=run, report=run / "report.html")
    console = Console(record=True, width=124, file=io.StringIO(), highlight=False)
    print_outcome(console, shown)
    console.save_svg(str(FOLDER / "advice.svg"), title="opencarbon run", unique_id="advice")


def photograph(page: Path) -> None:
    """Look at the top of the report in a browser."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    browser = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": 1280, "height": HEIGHT_PX, "deviceScaleFactor": 1.5, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.as_uri())
        taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    finally:
        browser.quit()
    picture = Image.open(io.BytesIO(base64.b64decode(taken))).convert("RGB")
    picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(FOLDER / "report.png", optimize=True)


if __name__ == "__main__":
    main()
