"""Makes the pictures of the README: advice.svg, the example queue as `opencarbon run` prints it; methods.svg, a published run.

python configs/example/make_picture.py
"""

import io
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from opencarbon import pipeline
from opencarbon.cli.tables import print_outcome
from opencarbon.estimation.baselines import METHODS
from opencarbon.pipeline.compare import compare_runs, write_comparison
from opencarbon.settings import load_settings

FOLDER = Path(__file__).parent
AS_OF = datetime(2026, 11, 16, tzinfo=UTC)


def main() -> None:
    """Draw both pictures."""
    draw_advice()
    compared = compare_runs(["gpt-3-175b"], tuple(METHODS.values()), load_settings(), as_of_utc=AS_OF)
    with tempfile.TemporaryDirectory() as folder:
        *_, drawn = write_comparison(compared, Path(folder))
        (FOLDER / "methods.svg").write_bytes(drawn.read_bytes())


def draw_advice() -> None:
    """Run the example in a folder that is thrown away, and keep what it prints."""
    with tempfile.TemporaryDirectory() as root:
        settings = load_settings(FOLDER / "opencarbon.toml", {"publish": {"root": root}})
        with pipeline.night_of(
            settings, [str(FOLDER / "jobs.parquet")], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
        ) as night:
            outcome = pipeline.run_night(night)
    shown = replace(outcome, directory=Path("out/example/v1/runs") / outcome.run_id)
    console = Console(record=True, width=124, file=io.StringIO(), highlight=False)
    print_outcome(console, shown)
    console.save_svg(str(FOLDER / "advice.svg"), title="opencarbon run", unique_id="advice")


if __name__ == "__main__":
    main()
