# Every target makes its own virtual environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready

.PHONY: help demo test test-all lint docs bench gpu faults fuzz format clean

help:
	@echo "make demo    the whole loop on embedded data, ends with a leaderboard and demo/report.html"
	@echo "make test    the tests, minutes"
	@echo "make test-all  the tests, and those that take long: kills, full disks, damaged files, training, browser, documentation site"
	@echo "make lint    style and types"
	@echo "make docs    the documentation site in site/, built without a network; warnings are errors"
	@echo "make bench   the benchmarks against their peers, ends with docs/tables/performance.md"
	@echo "make gpu     what runs on a GPU and how fast, ends with docs/tables/gpu.md; at toy size without one"
	@echo "make faults  30 kills of every long job, full disks, lost inputs, clusters"
	@echo "make fuzz    2,000 damaged and hostile files"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/sdd-bench demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 -q -m "not long"

test-all: test $(DOCS_READY)
	$(BIN)/python -m pytest -n 2 -q -m long
	$(BIN)/python -m pytest -q tests/test_site.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $(DOCS_READY)

docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

bench: $(READY)
	$(BIN)/python benchmarks/performance.py

gpu: $(READY)
	$(BIN)/python benchmarks/gpu.py --out docs/tables

faults: $(READY)
	SDD_BENCH_KILLS=30 $(BIN)/python -m pytest -n 2 -q -rP --no-header tests/faults

fuzz: $(READY)
	$(BIN)/python -m pytest -n 2 -q tests/fuzz --mutants 2000

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo site
