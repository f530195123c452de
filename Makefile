# casebridge: the verbs of daily work. `make` alone lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help venv check test test-live demo chaos bench bench-hapi docs ig validate screenshots serve clean

VENV := .venv
READY := $(VENV)/ready

#? Look at it first
demo: $(READY) ## two case stories, a hospital, a merge and a conflict; then keeps serving. ONCE=1 ends there, REMOTE=<url> uses another FHIR server
	$(VENV)/bin/casebridge demo $(if $(ONCE),--once) $(if $(REMOTE),--remote '$(REMOTE)')

serve: $(READY) ## the server (FHIR, case API, console), on the database CASEBRIDGE_DB names or the embedded one. NO_AUTH=1 asks nobody who they are
	$(VENV)/bin/casebridge serve $(if $(NO_AUTH),--no-auth)

#? Change something
venv: $(READY) ## the virtual environment in .venv, made again when pyproject.toml or constraints.txt change

check: $(READY) ## style, types, what is dangerous, what is known against the packages, and whether the generated documents are current: a minute
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/bandit --quiet --recursive --configfile pyproject.toml adapter server
	$(VENV)/bin/python -m tests.dependencies
	$(VENV)/bin/python -m adapter.cli docs --check

docs: $(READY) ## write the documents that are made from the tables (docs/mapping.md and others)
	$(VENV)/bin/python -m adapter.cli docs

ig: $(READY) ## the FHIR package of our extensions, profiles, code systems and value sets, in build/
	$(VENV)/bin/casebridge ig --to build

validate: $(READY) ## the package, and every resource of the two stories, by HL7's own validator: no error, no warning that docs/validation.md does not explain (Java 17, Maven)
	$(VENV)/bin/pytest -m live tests/live/test_validation.py

screenshots: $(READY) ## the pictures of the README, in docs/img, from the two stories (Chromium, Node)
	CASEBRIDGE_SCREENSHOTS=docs/img CI=true $(VENV)/bin/pytest -m live tests/live/test_console.py -k readme

test: $(READY) ## every test that needs only Python: minutes
	$(VENV)/bin/pytest -n 2

test-live: $(READY) ## the tests against a real HAPI FHIR server, built and started here (Java 17, Maven), client libraries (Node) and the console (Chromium); CASEBRIDGE_LIVE_HAPI=<url> uses a running one
	$(VENV)/bin/pytest -m live tests/live

chaos: $(READY) ## ten storms of edits, faults and kills over two bridges and a real HAPI, then the judgement: half an hour. ARGS=--help says what ARGS can be
	$(VENV)/bin/python -m tests.chaos $(ARGS)

#? Measure it and tidy up
bench: $(READY) ## the numbers of the README
	$(VENV)/bin/python -m tests.bench

bench-hapi: $(READY) ## casebridge and HAPI side by side, same data and client (wrk, Java 17, Maven): a quarter of an hour. ARGS=--help says what ARGS can be
	$(VENV)/bin/python -m tests.bench.hapi $(ARGS)

clean: ## take away .venv and caches; databases and the cache of HAPI stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find adapter server tests -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@sed -n -e 's/^#? \(.*\)/\n\1/p' -e 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@printf '\nThe first of them makes .venv and needs Python 3.11 or newer.\n'

$(READY): pyproject.toml constraints.txt
	@for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	  python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'There is no Python 3.11 or newer here. On Debian 12 or newer: apt-get install python3 python3-venv' >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version) (a minute) …"; \
	"$$python" -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
