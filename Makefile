# `make help` lists the targets; each one does all of its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SOURCES := core chaincode node client network benchmarks tests
DEMO_DOCS ?=

.PHONY: help setup lint types unit test demo bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

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

test: lint types unit ## lint, types and tests

demo: setup ## the pilot replayed: certificates issued, verified, revoked (DEMO_DOCS=folder adds your own)
	$(BIN)/shirushi demo $(if $(DEMO_DOCS),--documents '$(DEMO_DOCS)')

bench: setup ## measure the anchoring path
	$(BIN)/shirushi bench

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-output
