# Set-up and the commands of the README. Every target installs what it needs first.
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test dev serve bench lint clean

demo: $(INSTALLED)  ## find two hidden leaks in a simulated town, the whole way
	$(BIN)/leak-assets demo

dev: $(INSTALLED)  ## Dagster's user interface and daemon on http://127.0.0.1:3000
	$(BIN)/leak-assets dev

serve: $(INSTALLED)  ## dashboard and REST API on http://127.0.0.1:8000
	$(BIN)/leak-assets serve

# The long files first, as named here: what waits for daemons leaves its core to the others, and
# so does a process beyond the cores.
test: lint  ## linter, types, all tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		$(addprefix leak_assets_tests/,e2e benchmarks defs unit)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)  ## measure the figures that are claimed, into docs/figures.md (ONLY="latency")
	$(BIN)/python -m leak_assets_tests.benchmarks $(ONLY)

# torch first and exact: a range would let pip choose a build with gigabytes of CUDA packages.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(INSTALLED)

# Delivered files, raw readings, models and decisions stay: nothing can make them again.
clean: $(INSTALLED)  ## remove what runs make again: derived tables, caches, reports, Dagster's home
	$(BIN)/leak-assets warehouse clean --yes
