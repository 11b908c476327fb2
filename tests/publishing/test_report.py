"""The report of a run: what it says is what its tables say, whatever they hold."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from opencarbon.errors import PublishError
from opencarbon.publishing.numbers import mass
from opencarbon.publishing.report import report_page
from tests.example import Release
from tests.publishing.report_runs import (
    HOSTILE,
    changed,
    long_queue,
    nulls,
    put,
    renamed,
    tables_of_example,
    without_rows,
    write,
)
from tests.tables.make_tables import make_release

LARGEST_BYTES = 2_000_000
DATA = re.compile(r'<script type="application/json" id="jobs-data">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def page(example: Release) -> str:
    return report_page(example.latest)


def jobs_of(page: str) -> list[list[object]]:
    (data,) = DATA.findall(page)
    rows: list[list[object]] = json.loads(data)["rows"]
    return rows


def text_of(page: str) -> str:
    """What stands between the tags, spaces as one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("</head>")[2].partition("<script")[0]))


class TestContent:
    def test_the_headline_tells_the_sums_with_their_interval_and_what_they_are(
        self, page: str, example: Release
    ) -> None:
        totals = example.frame("fact_total").set_index("scope")
        total = totals.loc["run"]
        words = text_of(page)
        for column in ("baseline_kgco2e", "baseline_low_kgco2e", "baseline_high_kgco2e", "advised_kgco2e"):
            assert re.sub(r"\s+", " ", mass(total[column])) in words
        assert "not claimed as a sum" in words
        assert "attributed, location-based" in words

    def test_jobs_that_are_likely_late_are_named_first(self, page: str, example: Release) -> None:
        advice = example.frame("rec_job")
        late = advice[advice["deadline_risk"] > 0.5]["job_id"].tolist()
        named = text_of(page).partition("Likely late")[2].partition("The greatest savings")[0]
        assert len(late) == 2
        assert all(job in named for job in late)

    def test_jobs_over_budget_are_counted_at_the_top(self, page: str, example: Release) -> None:
        over = int((example.frame("rec_job")["budget_status"] == "over").sum())
        assert over > 0
        assert f"<dt>jobs over budget</dt><dd>{over}</dd>" in page

    def test_annual_means_are_said_at_the_top(self, page: str, example: Release, tmp_path: Path) -> None:
        def annual(regions: pa.Table) -> pa.Table:
            return put(regions, "intensity_kind", ["annual"] * regions.num_rows)

        said = "annual means, which know no hours"
        assert said not in page
        assert said in report_page(changed(example, tmp_path / "run", rec_region=annual))

    def test_every_job_stands_in_it_once(self, page: str, example: Release) -> None:
        expected = example.table("dim_job")["job_id"].to_pylist()
        assert sorted(str(row[0]) for row in jobs_of(page)) == sorted(map(str, expected))

    def test_jobs_come_with_the_figures_of_the_tables(self, page: str, example: Release) -> None:
        planned = example.frame("fact_job_estimate").set_index("job_id")["total_kgco2e"]
        risks = example.frame("rec_job").set_index("job_id")["deadline_risk"]
        for job, *rest in jobs_of(page):
            assert rest[11] == (
                pytest.approx(planned[job], rel=1e-3) if planned[job] == planned[job] else None
            )
            assert rest[16] == (
                pytest.approx(100 * risks[job], abs=0.51) if risks[job] == risks[job] else None
            )

    def test_what_was_degraded_and_rejected_is_told_with_the_remedy(
        self, page: str, example: Release
    ) -> None:
        words = text_of(page)
        for code in example.frame("run_event")["code"].unique():
            assert code.replace("_", " ") in words
        for row in example.table("rejected_job").to_pylist():
            assert row["job_id"] in words
            assert row["remedy"].replace("'", "&#39;") in words

    def test_sources_of_jobs_regions_and_fits_are_listed_with_their_licences(
        self, page: str, example: Release
    ) -> None:
        estimates = example.table("fact_job_estimate")
        cited = {
            source
            for column in ("fit_source_id", "power_source_id", "intensity_source_id")
            for source in estimates[column].to_pylist()
            if source
        }
        listed = page.partition('id="sources"')[2]
        for source in example.table("dim_source").to_pylist():
            if source["source_id"] in cited:
                assert f"{source['source_id']}. Licence: {source['licence']}." in listed

    def test_the_best_and_the_current_zones_are_drawn_with_advised_windows(self, page: str) -> None:
        drawn = page.partition('id="coming-hours"')[2].partition("</figure>")[0]
        for name in ("SE-SE3", "(now)", "palm-2, gcp:europe-north2", "When advised jobs run"):
            assert name in drawn

    def test_zones_without_published_hours_are_named_instead(self, example: Release, tmp_path: Path) -> None:
        run = changed(example, tmp_path / "run", fact_grid_intensity_hourly=without_rows)
        page = report_page(run)
        assert 'id="coming-hours"' not in page
        assert "Not drawn" in page
        assert "SE-SE3" in page

    def test_a_run_that_tells_of_earlier_advice_says_what_came_true(
        self, example: Release, tmp_path: Path
    ) -> None:
        outcomes = make_release(rows=40)["fact_advice_outcome"]
        run = changed(example, tmp_path / "run", fact_advice_outcome=lambda _: outcomes)
        words = text_of(report_page(run))
        assert "held against the hours that came true" in words
        claims: dict[str, float] = {}
        for row in outcomes.to_pylist():
            status = row["outcome_status"]
            claims[status] = claims.get(status, 0.0) + (row["claimed_saving_kgco2e"] or 0.0)
        assert all(status.replace("_", " ") in words for status in claims)
        claimed = claims["followed"]
        assert re.sub(r"\s+", " ", mass(claimed)) in words


class TestWords:
    @pytest.mark.parametrize(
        ("status", "words"),
        [("potential", "The advice could save"), ("allocated", "The capacity for it is reserved")],
    )
    def test_a_saving_says_what_it_is(
        self, example: Release, tmp_path: Path, status: str, words: str
    ) -> None:
        def claim(totals: pa.Table) -> pa.Table:
            rows = totals.num_rows
            for column in ("saving_kgco2e", "saving_low_kgco2e", "saving_high_kgco2e"):
                totals = put(totals, column, [1_234_000.0] * rows)
            return put(totals, "saving_status", [status] * rows)

        said = text_of(report_page(changed(example, tmp_path / "run", fact_total=claim)))
        assert words in said
        assert re.sub(r"\s+", " ", mass(1_234_000.0)) in said

    @pytest.mark.parametrize(("level", "words"), [(0.9, "90 % intervals"), (None, "In brackets intervals")])
    def test_intervals_say_what_they_hold(
        self, example: Release, tmp_path: Path, level: float | None, words: str
    ) -> None:
        def of_level(fits: pa.Table) -> pa.Table:
            return put(fits, "interval_level", [level] * fits.num_rows)

        page = text_of(report_page(changed(example, tmp_path / "run", fact_device_fit=of_level)))
        assert words in page
        assert "80 % interval" not in page

    def test_a_queue_without_a_baseline_says_so(self, example: Release, tmp_path: Path) -> None:
        columns = ("baseline_kgco2e", "baseline_low_kgco2e", "baseline_high_kgco2e", "saving_kgco2e")
        run = changed(example, tmp_path / "run", fact_total=nulls(*columns))
        assert "none of them has a baseline" in report_page(run)

    def test_no_saving_is_said(self, example: Release, tmp_path: Path) -> None:
        columns = ("saving_kgco2e", "saving_low_kgco2e", "saving_high_kgco2e", "saving_pct")
        run = changed(example, tmp_path / "run", rec_job=nulls(*columns))
        assert "No job saves by being moved or delayed" in report_page(run)


class TestSafety:
    def test_it_loads_nothing_and_lets_no_other_script_run(self, page: str) -> None:
        assert "default-src 'none'" in page
        assert re.search(r"script-src 'sha256-[\w+/=]{44}'", page)
        assert not re.search(r"<(?:link|img|iframe|script)[^>]*(?:src|href)=[\"'](?!data:)", page)

    def test_names_stay_names(self, example: Release, tmp_path: Path) -> None:
        page = report_page(renamed(example, tmp_path / "run"))
        assert page.count("<script") == page.count("</script>") == 2
        assert "<img" not in page
        assert "<b>" not in page
        assert "49" not in re.findall(r"شغل 😀 (\S+)", page)
        ids = {str(row[0]) for row in jobs_of(page)}
        assert set(HOSTILE) <= ids

    def test_it_is_the_same_twice(self, page: str, example: Release) -> None:
        assert report_page(example.latest) == page

    def test_tables_of_other_jobs_are_refused(self, example: Release, tmp_path: Path) -> None:
        tables = tables_of_example(example)
        ids = tables["rec_job"]["job_id"].to_pylist()
        run = write(tmp_path / "run", tables | {"rec_job": put(tables["rec_job"], "job_id", ids[::-1])})
        with pytest.raises(PublishError, match="same jobs in the same order"):
            report_page(run)


class TestSize:
    def test_ten_thousand_jobs_fit(self, tmp_path: Path) -> None:
        page = report_page(long_queue(tmp_path / "run", 10_000))
        assert len(page.encode()) < LARGEST_BYTES
        assert len(jobs_of(page)) == 10_000

    def test_of_more_jobs_those_that_emit_most_are_kept(self, tmp_path: Path) -> None:
        page = report_page(long_queue(tmp_path / "run", 10_500))
        planned = [row[12] for row in jobs_of(page)]
        assert len(planned) == 10_000
        known = [float(str(value)) for value in planned if value is not None]
        assert known == sorted(known, reverse=True)
        assert "of 10 500;" in re.sub(r"\s+", " ", page)

    def test_long_names_leave_room_for_fewer(self, tmp_path: Path) -> None:
        page = report_page(long_queue(tmp_path / "run", 9_000, name_length=300))
        assert len(page.encode()) < LARGEST_BYTES
        assert 3_000 < len(jobs_of(page)) < 9_000
        assert "that are planned to emit most, of 9 000;" in re.sub(r"\s+", " ", page)

    def test_a_queue_of_no_job_has_a_page(self, example: Release, tmp_path: Path) -> None:
        empty = dict.fromkeys(
            ("dim_job", "fact_job_estimate", "rec_job", "fact_job_region", "fact_job_segment", "fact_total"),
            without_rows,
        )
        page = report_page(changed(example, tmp_path / "run", **empty))
        assert jobs_of(page) == []
        assert "0 jobs are planned" in text_of(page)
