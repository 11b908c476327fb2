"""A release in the forms of others: what they hold, how they are read back, and what names do in them."""

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opencarbon.catalog import load_catalog
from opencarbon.cli import main
from opencarbon.publishing.csv_cells import csv_cell
from opencarbon.publishing.interchange import CODECARBON_COLUMNS, SCI_COLUMNS, Exchange, huggingface_yaml
from opencarbon.sources.history import read_history
from tests.example import Release
from tests.publishing.report_runs import HOSTILE, renamed

Capture = pytest.CaptureFixture[str]


def exported(release: Release, form: str, *words: str, capsys: Capture) -> str:
    assert main(["export", "--format", form, "--release", str(release.root), *words]) == 0
    return capsys.readouterr().out


def table(release: Release, form: str, capsys: Capture) -> Any:
    return pd.read_csv(io.StringIO(exported(release, form, capsys=capsys)))


class TestSci:
    def test_it_is_energy_times_intensity_and_embodied_per_run(
        self, example: Release, capsys: Capture
    ) -> None:
        rows = table(example, "sci", capsys)
        assert list(rows.columns) == list(SCI_COLUMNS)
        operational = rows["energy_kwh_per_run"] * rows["carbon_intensity_gco2e_per_kwh"]
        sci = operational + rows["embodied_gco2e_per_run"]
        pd.testing.assert_series_equal(sci, rows["sci_gco2e_per_run"], check_names=False, rtol=1e-9)
        assert set(rows["functional_unit"]) == {"training run"}

    def test_plan_and_advice_are_those_that_are_published(self, example: Release, capsys: Capture) -> None:
        rows = table(example, "sci", capsys).set_index(["plan", "job_id"])
        estimates = example.frame("fact_job_estimate").set_index("job_id")
        advised = example.frame("rec_job").set_index("job_id")["advised_total_kgco2e"].dropna()
        known = estimates["sci_kgco2e_per_run"].dropna()
        baseline = rows.loc["baseline", "sci_gco2e_per_run"] / 1000
        pd.testing.assert_series_equal(
            known.sort_index(), baseline.sort_index(), check_names=False, rtol=1e-9
        )
        told = rows.loc["advised", "sci_gco2e_per_run"] * rows.loc["advised", "runs"] / 1000
        both = sorted(set(advised.index) & set(told.index))
        assert len(both) > 35
        pd.testing.assert_series_equal(advised[both], told[both], check_names=False, rtol=1e-9)

    def test_one_job_by_hand(self, example: Release, capsys: Capture) -> None:
        rows = table(example, "sci", capsys).set_index(["plan", "job_id"])
        row = rows.loc[("baseline", "pangu-weather")]
        told = example.frame("fact_job_estimate").set_index("job_id").loc["pangu-weather"]
        assert row["runs"] == 4
        assert row["energy_kwh_per_run"] == pytest.approx(told["facility_energy_kwh"] / 4)
        assert row["sci_gco2e_per_run"] == pytest.approx(1000 * told["total_kgco2e"] / 4)

    def test_parquet_and_csv_hold_the_same(self, example: Release, tmp_path: Path, capsys: Capture) -> None:
        path = tmp_path / "deep/sci.parquet"
        exported(example, "sci", "--out", str(path), capsys=capsys)
        read = pq.read_table(path).to_pandas()
        pd.testing.assert_frame_equal(read, table(example, "sci", capsys), check_dtype=False, rtol=1e-12)


class TestCodecarbon:
    def test_it_has_the_columns_and_units_of_codecarbon(self, example: Release, capsys: Capture) -> None:
        rows = table(example, "codecarbon", capsys)
        assert tuple(rows.columns) == CODECARBON_COLUMNS
        told = example.frame("fact_job_estimate").set_index("job_id").loc[rows["run_id"]].reset_index()
        for column, expected in (
            ("emissions", told["operational_kgco2e"]),
            ("energy_consumed", told["facility_energy_kwh"]),
            ("duration", told["wall_hours"] * 3600),
            ("pue", told["pue"]),
        ):
            pd.testing.assert_series_equal(rows[column], expected, check_names=False, rtol=1e-12)
        assert (rows["emissions_rate"] * rows["duration"]).to_list() == pytest.approx(
            rows["emissions"].to_list()
        )
        assert rows["cpu_energy"].isna().all()

    def test_our_own_reader_takes_the_hours_and_the_energy_before_pue(
        self, example: Release, tmp_path: Path, capsys: Capture
    ) -> None:
        path = tmp_path / "emissions.csv"
        exported(example, "codecarbon", "--out", str(path), capsys=capsys)
        runs, _ = read_history([str(path)], device_units=load_catalog((), ()).device_units)
        told = example.frame("fact_job_estimate").set_index("job_id")
        read = runs.to_pandas().set_index("run").rename(index=lambda run: run.removeprefix("codecarbon:"))
        assert len(read) > 30
        pd.testing.assert_series_equal(
            read["device_hours"], told.loc[read.index, "device_hours"], check_names=False, rtol=1e-9
        )
        pd.testing.assert_series_equal(
            read["energy_kwh"], told.loc[read.index, "energy_kwh"], check_names=False, rtol=1e-9
        )


class TestHuggingface:
    def test_many_jobs_are_documents_of_one_file(
        self, example: Release, tmp_path: Path, capsys: Capture
    ) -> None:
        path = tmp_path / "cards.yaml"
        exported(example, "huggingface", "--out", str(path), capsys=capsys)
        cards = {
            card["job_id"]: card["co2_eq_emissions"] for card in yaml.safe_load_all(path.read_text("utf-8"))
        }
        told = example.frame("fact_job_estimate").set_index("job_id")
        known = told["operational_kgco2e"].dropna()
        assert set(cards) == set(known.index)
        for job, card in cards.items():
            runs = round(told.loc[job, "total_kgco2e"] / told.loc[job, "sci_kgco2e_per_run"])
            assert card["emissions"] == pytest.approx(1000 * known[job] / runs, rel=1e-5)
            assert "estimated before the run" in card["source"]
        assert cards["gpt-4"]["hardware_used"] == "25000 x NVIDIA A100 SXM4 40GB"
        assert "azure:centralus" in cards["gpt-4"]["geographical_location"]

    def test_one_job_is_the_block_of_a_card(self, example: Release, capsys: Capture) -> None:
        card = yaml.safe_load(exported(example, "huggingface", "--job", "gpt-4", capsys=capsys))
        assert set(card) == {"co2_eq_emissions"}

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_any_name_comes_back_as_it_is(self, name: str) -> None:
        exchange = Exchange({"version": "1"}, {}, {})
        job = {
            **dict.fromkeys(("baseline_region", "operational_low_kgco2e", "operational_high_kgco2e")),
            "job_id": name,
            "device": name,
            "device_count": 8.0,
            "operational_kgco2e": 1.0,
            "runs": 1,
        }
        card = yaml.safe_load(huggingface_yaml(job, exchange, is_named=True))
        assert card["job_id"] == name
        assert card["co2_eq_emissions"]["hardware_used"] == f"8 x {name}"


class TestNames:
    def test_no_cell_of_a_text_is_a_formula(self, example: Release, tmp_path: Path, capsys: Capture) -> None:
        run = renamed(example, tmp_path / "run")
        (run / "release.json").write_bytes((example.latest / "release.json").read_bytes())
        assert main(["export", "--format", "codecarbon", "--release", str(run)]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
        names = {row["run_id"] for row in rows}
        assert '\'-2+3, "quoted"\nline' in names
        assert len(names & set(HOSTILE)) > 3
        assert not [name for name in names if name[0] in "=+-@"]

    @pytest.mark.parametrize(
        ("value", "cell"),
        [
            *(("=1+1", "'=1+1"), ("-x", "'-x"), ("@a", "'@a"), ("\tx", "'\tx"), ("\r", "'\r"), ("+1", "'+1")),
            *(("a=1", "a=1"), ("", ""), (None, ""), (-1.5, "-1.5"), (3.0, "3"), (-2, "-2"), (True, "True")),
        ],
    )
    def test_numbers_stay_numbers(self, value: object, cell: str) -> None:
        assert csv_cell(value) == cell


class TestCommand:
    def test_jobs_without_a_figure_are_counted(self, example: Release, capsys: Capture) -> None:
        assert main(["export", "--format", "sci", "--release", str(example.root)]) == 0
        told = example.frame("fact_job_estimate")["operational_kgco2e"]
        assert told.isna().sum() > 0
        said = " ".join(capsys.readouterr().err.split())
        assert f"{told.notna().sum()} jobs of run" in said
        assert f"{told.isna().sum()} without a figure left out" in said

    @pytest.mark.parametrize(
        ("form", "name"), [("sci", "a.yaml"), ("codecarbon", "a.parquet"), ("huggingface", "a.csv")]
    )
    def test_another_ending_is_refused(
        self, example: Release, tmp_path: Path, form: str, name: str, capsys: Capture
    ) -> None:
        words = ["export", "--format", form, "--release", str(example.root), "--out", str(tmp_path / name)]
        assert main(words) == 2
        assert "is written to a file that ends in" in " ".join(capsys.readouterr().err.split())

    def test_a_job_that_is_not_there_is_refused_and_nothing_is_replaced(
        self, example: Release, tmp_path: Path, capsys: Capture
    ) -> None:
        path = tmp_path / "cards.yaml"
        path.write_text("mine")
        words = ["export", "--format", "huggingface", "--release", str(example.root), "--out", str(path)]
        assert main([*words, "--job", "gpt-4", "nobody"]) == 2
        assert "has no job 'nobody'" in " ".join(capsys.readouterr().err.split())
        assert path.read_text() == "mine"
        assert list(tmp_path.iterdir()) == [path]
