"""Makes the pictures of the README: the example queue as `opencarbon run` prints it, errors as `evaluate` draws them.

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
from opencarbon.pipeline.evaluate import evaluate
from opencarbon.settings import load_settings

FOLDER = Path(__file__).parent
AS_OF = datetime(2026, 11, 16, tzinfo=UTC)


def main() -> None:
    """Draw both pictures."""
    advice()
    errors()


def errors() -> None:
    """Evaluate into a folder that is thrown away, and keep the drawing of the errors."""
    with tempfile.TemporaryDirectory() as root:
        evaluate(load_settings(), Path(root))
        (FOLDER / "errors.svg").write_bytes((Path(root) / "figures" / "errors.svg").read_bytes())


def advice() -> None:
    """Run the example in a folder that is thrown away, and keep what it prints."""
    with tempfile.TemporaryDirectory() as root:
        settings = load_settings(
            FOLDER / "opencarbon.toml", {"publish": {"root": root}, "store": {"root": f"{root}/store"}}
        )
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
