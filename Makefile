# Every target makes the virtual environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo check test lint fast clean

demo: $(VENV)/.ready ## plan the example queue, offline
	$(BIN)/python flows/nightly.py --manifest configs/example/jobs.parquet --config configs/example/opencarbon.toml \
	  --as-of 2026-11-16T00:00:00Z --offline --out out/example

check: lint test ## everything that must pass

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.ready ## three at a time: some wait for servers; benchmarks by themselves: they compare times
	$(BIN)/pytest -n 3 --dist loadfile --ignore tests/benchmarks
	$(BIN)/pytest tests/benchmarks

fast: $(VENV)/.ready ## tests without the slow ones
	$(BIN)/pytest -m "not slow"

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[flows,dask,report,baselines]" --group dev
	touch $@

clean:
	rm -rf $(VENV) out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
