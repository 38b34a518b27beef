# Everything runs from .venv, which is made from requirements-dev.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/python -m uv --no-progress
STAMP := $(VENV)/.installed
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

.PHONY: demo
demo: $(STAMP)  ## the whole service on embedded PostgreSQL and NATS, under load
	@$(BIN)/payment-service demo

.PHONY: test
test: lint types contracts  ## what has to be green
	$(BIN)/pytest -n auto

.PHONY: lint
lint: $(STAMP)  ## ruff and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

.PHONY: format
format: $(STAMP)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy .

.PHONY: contracts
contracts: $(STAMP)  ## who may import whom
	$(BIN)/lint-imports --no-logo

.PHONY: bench-latency
bench-latency: $(STAMP)  ## time from request to final state, step by step
	$(BIN)/python ops/bench/latency.py

.PHONY: lock
lock: $(BIN)/uv  ## write the locks again; newest versions: make lock UPGRADE=--upgrade
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file requirements-dev.lock --constraints requirements.lock \
		--extra embedded --group dev pyproject.toml

.PHONY: clean
clean:  ## remove what was made, .venv included
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): requirements-dev.lock pyproject.toml | $(BIN)/uv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
