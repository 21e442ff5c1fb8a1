# Two commands do everything from a bare machine with Python >= 3.11 and make:
#   make features    make test
SHELL  := /bin/sh
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
REPORT := report

# A cluster is many short-lived processes of the same code: compiled once, not at each start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup features test images lint types check bench clean

# What the features run on: `process`, or `docker` after `make images`.
CLUSTER ?= process
ON_process :=
ON_docker  := -o narration_cluster=harness.cluster:docker_cluster
# How many clusters the features run on at a time.
CLUSTERS ?= 3

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make the virtual environment (done by the other targets when needed)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pytest-narration needs Python >= 3.11, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Setting up $(VENV): once, about a minute, most of it torch ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable . --group dev
	@touch $@

features: $(READY) ## Start the cluster, run the Gherkin features with narration coverage, write the report
	$(if $(filter process docker,$(CLUSTER)),,$(error CLUSTER=$(CLUSTER): choose process or docker))
	$(PYTEST) tests/scenarios --numprocesses=$(CLUSTERS) --dist=worksteal -p no:hypothesispytest $(ON_$(CLUSTER)) --narration-coverage --narration-fail-under=80 \
	  --narration-report=term-missing --narration-report=html:$(REPORT)/narration \
	  --narration-report=markdown:$(REPORT)/narration.md --narration-report=json:$(REPORT)/narration.json \
	  --narration-cucumber=messages:$(REPORT)/features.ndjson $(ARGS)

test: $(READY) ## Run all tests, the features among them
	@$(PYTEST) $(ARGS)

images: $(READY) ## Build the cluster's Docker images; what did not change is not built again
	@harness/images/build.sh $(BIN)/python

lint: $(READY) ## Check style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## Check types, strictly
	$(BIN)/mypy

check: lint types test ## Everything that CI asks for

bench: $(READY) ## Measure the cost of narrate() against its peers, in one run
	$(BIN)/python -m benchmarks.emit

clean: ## Remove everything that was made here
	rm -rf $(VENV) $(REPORT) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf .narration-coverage* harness/.models
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
