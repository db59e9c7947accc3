# `make help` lists the targets; each one does all of its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SOURCES := core chaincode node client network benchmarks tests
DEMO_DOCS ?=

BENCH_HISTORY := benchmarks/history.jsonl
OWN_HISTORY := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shirushi/bench-history.jsonl

.PHONY: help setup lint types unit test derivation-matrix demo bench bench-short clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(STAMP) ## a .venv with everything

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

lint: setup ## ruff: style and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: setup ## mypy, strict
	$(BIN)/mypy

unit: setup ## the tests; those with a network of real Fabric nodes have the machine to themselves
	$(BIN)/pytest tests/fabric
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/fabric

test: lint types unit bench-short ## lint, types, tests and a short benchmark

derivation-matrix: ## derive the fuzzer's corpus with the oldest and the newest libraries, under every Python found
	$(PYTHON) tests/derivation_matrix.py

demo: setup ## the pilot replayed: certificates issued, verified, revoked (DEMO_DOCS=folder adds your own)
	$(BIN)/shirushi demo $(if $(DEMO_DOCS),--documents '$(DEMO_DOCS)')

bench: setup ## measure the anchoring path in full, into docs/performance.md; needs 30 GB in TMPDIR
	$(BIN)/shirushi bench all --member-down --documents 1000000x2048 --documents 100000x102400 \
		--page docs/performance.md --history $(BENCH_HISTORY)

bench-short: setup ## measure a little of everything on the embedded ledger, and warn of what has become slower
	$(BIN)/shirushi bench --short --engine embedded --history '$(OWN_HISTORY)' --compare $(BENCH_HISTORY)

clean: ## remove what make made
	rm -rf $(VENV) .matrix .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-output
