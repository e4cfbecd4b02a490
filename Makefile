# Everything is set up in .venv on first use; nothing outside of this folder is touched.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Tests that run side by side; most of them wait for processes.
JOBS ?= 3
READY := .venv/.ready
SOURCES := proto master worker tui tests examples benchmarks

.DEFAULT_GOAL := help
.PHONY: help run test test-fast lint format proto proto-check bench bench-quick bench-workers chaos simulate network clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: name it with make PYTHON=…" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

run: $(READY) ## Start a demo target, a master, a worker with 2 runners and the TUI (headless without a terminal)
	$(BIN)/python examples/demo.py

test: $(READY) lint proto-check ## Lint, types, contracts, fresh protocol code, all tests
	$(BIN)/python -m pytest -n $(JOBS)

test-fast: $(READY) ## Tests that start no commands
	$(BIN)/python -m pytest -n $(JOBS) -m 'not end_to_end'

lint: $(READY) ## Style, types, layout contracts, protocol rules
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

proto: $(READY) ## Generate code from proto/schema
	$(BIN)/python proto/generate.py

proto-check: $(READY) ## Prove that generated code is fresh and the protocol did not break
	$(BIN)/python proto/generate.py --check
	cd proto && ../$(BIN)/buf breaking --against baseline.binpb

bench: $(READY) ## Measure against real Locust; one JSON line a measurement
	$(BIN)/python -m benchmarks

bench-quick: $(READY) ## The same in under 2 minutes
	$(BIN)/python -m benchmarks --quick

bench-workers: $(READY) ## What 100, 300 and 1,000 workers cost the master, alone, beside Locust, and in a rush
	$(BIN)/python -m benchmarks.simulated_workers
	$(BIN)/python -m benchmarks.simulated_workers.bundle_rush
	$(BIN)/python -m benchmarks.simulated_workers.against_locust

chaos: $(READY) ## Break everything under load for 9 minutes and compare with the target's count
	$(BIN)/python -m tests.chaos

SEEDS ?= 500
simulate: $(READY) ## Play 500 seeds of faults on a virtual clock against all laws (SEEDS=… for more)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

network: $(READY) ## Cut, slow and flood networks for longer, on hosts of their own (needs root)
	SLOW_TESTS=1 $(BIN)/python -m pytest tests/network -o timeout=300

clean: ## Remove what make made
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
