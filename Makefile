# Everything runs from .venv, which is made from requirements-dev.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test
# A process that may not keep its bytecode compiles every module anew: half of its start.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/python -m uv --no-progress
STAMP := $(VENV)/.installed
SPECTRAL := $(VENV)/spectral/.installed
CLIENT := $(VENV)/client/.installed
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

.PHONY: demo
demo: $(STAMP)  ## the whole service on embedded PostgreSQL and NATS, under load
	@$(BIN)/payment-service demo

.PHONY: dev
dev: $(STAMP)  ## a desk to try things on, until Ctrl-C; desk.env has what another terminal needs
	@$(BIN)/payment-service dev --env-file desk.env

.PHONY: first-hour
first-hour:  ## follows the README word by word in a fresh clone, and says how long each step took
	$(PYTHON) ops/first_hour.py

.PHONY: test
test: $(STAMP)  ## what has to be green
	@$(MAKE) --no-print-directory --jobs 2 lint contracts types every-test

# Beside the types, which keep one core busy and never wait. In a fresh checkout each
# worker would prepare the assertions of every test anew: one does it for all.
.PHONY: every-test
every-test: $(STAMP) $(SPECTRAL) $(CLIENT)
	@test -d .pytest_cache || $(BIN)/pytest --collect-only -qq >/dev/null
	$(BIN)/pytest -n auto --dist worksteal --durations 40

# Without I/O or a server: what is decided, read, written and refused.
PURE := tests/fsm tests/wire tests/providers/config tests/providers/health

.PHONY: check
check: $(STAMP)  ## while you work: lint, types, contracts and the pure tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target types lint contracts pure

.PHONY: pure
pure: $(STAMP)
	$(BIN)/pytest -q -m "not slow and not field" $(PURE)

.PHONY: test-again
test-again: lint types contracts  ## what failed, one by one: was it the test, or a busy machine?
	$(BIN)/pytest -p tests.again --last-failed --last-failed-no-failures=none

.PHONY: every-case
every-case: $(STAMP)  ## every case of what `make test` plays a sample of
	PAYMENT_TESTS_EVERY_CASE=1 $(BIN)/pytest -n auto --dist worksteal -m sampled

.PHONY: documents
documents: $(STAMP) $(SPECTRAL) $(CLIENT)  ## lint the OpenAPI and AsyncAPI documents (with Node), and drive a client made of one
	$(BIN)/pytest -rs tests/documents

.PHONY: field
field: $(STAMP)  ## what needs PgBouncer, HAProxy, tinyproxy, a second PostgreSQL or two clusters
	$(BIN)/python -m ops.field
	$(BIN)/pytest -m field tests/field

.PHONY: lint
lint: $(STAMP)  ## ruff, spelling, and that what is imported is declared
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/deptry --no-ansi .

.PHONY: format
format: $(STAMP)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: tidy
tidy: $(STAMP)  ## what is long or doubled; takes out of the ratchet what has been mended
	$(BIN)/python -m tests.tidy --shrink

.PHONY: types
types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy .

.PHONY: contracts
contracts: $(STAMP)  ## who may import whom
	$(BIN)/lint-imports --no-logo

BENCH := $(BIN)/python -m ops.bench

.PHONY: bench
bench: $(STAMP)  ## throughput beside a bare loop, DBOS and Restate, with the plots (see bench-tools)
	$(BENCH) throughput
	$(BENCH) sweep

.PHONY: bench-latency
bench-latency: $(STAMP)  ## time from request to final event, one at a time, and beside the bare loop and Restate
	$(BENCH) latency
	$(BENCH) beside

.PHONY: bench-growth
bench-growth: $(STAMP)  ## beside a million orders that wait, 100,000 timers at once, memory
	$(BENCH) growth
	$(BENCH) timers
	$(BENCH) memory

.PHONY: bench-webhooks
bench-webhooks: $(STAMP)  ## webhooks into one API process
	$(BENCH) webhooks

.PHONY: bench-start
bench-start: $(STAMP)  ## seconds until the service is ready
	$(BENCH) start

.PHONY: bench-profile
bench-profile: $(STAMP)  ## where a worker's time goes (see bench-tools)
	$(BENCH) profile

.PHONY: bench-pairs
bench-pairs: $(STAMP)  ## what a change costs: make bench-pairs AGAINST=../another-checkout
	$(BENCH) pairs --against $(AGAINST)

.PHONY: bench-wal
bench-wal: $(STAMP)  ## what a withdrawal writes ahead, by table and kind of record
	$(BENCH) wal

.PHONY: bench-executor
bench-executor: $(STAMP)  ## fetches that depend on each other, at once and one after another
	$(BENCH) executor

.PHONY: bench-checkouts
bench-checkouts: $(STAMP)  ## a checkout's time, reads and commits, many beside DBOS, and orders saved by retries
	$(BENCH) checkouts
	$(BENCH) saved

.PHONY: bench-links
bench-links: $(STAMP)  ## a partner link from request to result, beside the bare loop, and at half of the most
	$(BENCH) links

.PHONY: bench-report
bench-report: $(STAMP)  ## put the results on disk into docs/performance.md and the README
	$(BENCH) report --write docs/performance.md --write README.md

.PHONY: bench-tools
bench-tools: $(STAMP)  ## the rivals and the profiler, which the bench can do without
	$(UV) pip install --quiet --python $(BIN)/python --group bench
	@if command -v npm >/dev/null; then cd ops/bench/restate && npm install --no-package-lock --no-audit --no-fund --loglevel=error; \
	else echo "Node is not installed: without it the bench leaves Restate out"; fi

.PHONY: simulate-long
simulate-long: $(STAMP)  ## 20,000 seeds of the simulation on all cores; more: make simulate-long SEEDS=1000000; all with checkouts: EVERY=3
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),20000) --every $(or $(EVERY),1)

.PHONY: simulate-speed
simulate-speed: $(STAMP)  ## how long 100 virtual days of 20 orders take on one core
	$(BIN)/python -m tests.simulation --speed

.PHONY: model
model: $(STAMP)  ## search every state of the small worlds: the engine's, and the payout's
	$(BIN)/python -m tests.model

.PHONY: planted-bugs
planted-bugs: $(STAMP)  ## plant every deliberate bug in turn, and say who caught it
	$(BIN)/python -m tests.planted

.PHONY: fuzz
fuzz: $(STAMP)  ## invented webhooks, bus messages and API calls; more: make fuzz REQUESTS=900000 MESSAGES=1000000 CALLS=100000
	$(BIN)/python -m tests.fuzz webhooks --requests $(or $(REQUESTS),200000) --processes 2 $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.fuzz bus --messages $(or $(MESSAGES),20000) --calls $(or $(CALLS),5000) $(if $(SEED),--seed $(SEED))

.PHONY: threats
threats: $(STAMP)  ## the tables of docs/threat-model.md and docs/tampering.md, from the tests that show them
	$(BIN)/python -m ops.threats
	$(BIN)/python -m tests.tampering

SECONDS ?= 300
SEED ?= 7

.PHONY: chaos
chaos: $(STAMP)  ## five minutes of faults on real processes, then the report (SECONDS, SEED)
	$(BIN)/python -m tests.chaos run --seconds $(SECONDS) --seed $(SEED)

chaos-%: $(STAMP)  ## one fault again and again, such as chaos-kill-worker; chaos-list names them
	$(BIN)/python -m tests.chaos $(if $(filter list,$*),list,fault $*)

.PHONY: chaos-wipe-1000
chaos-wipe-1000: $(STAMP)  ## NATS loses all it has with 1,000 orders under way: when are they at rest?
	$(BIN)/python -m tests.chaos wipe --orders 1000

.PHONY: chaos-recovery
chaos-recovery: $(STAMP)  ## kill -9 of each of three workers: how late is any order?
	$(BIN)/python -m tests.chaos recovery

.PHONY: crash-points
crash-points: $(STAMP)  ## every crash point on real PostgreSQL and NATS; a sample: make crash-points POINTS=300
	$(BIN)/python -m tests.crashes --seed $(SEED) $(if $(POINTS),--points $(POINTS))

.PHONY: lock
lock: $(BIN)/uv  ## write the locks again; newest versions: make lock UPGRADE=--upgrade
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file requirements-dev.lock --constraints requirements.lock \
		--extra embedded --extra playground --group dev pyproject.toml
	$(COMPILE) --output-file requirements-playground.lock --constraints requirements-dev.lock \
		--extra playground pyproject.toml
	$(COMPILE) --output-file requirements-build.lock --constraints requirements-dev.lock \
		--group build
	$(COMPILE) --output-file requirements-client.lock --group client

.PHONY: release
release: $(STAMP)  ## bill of materials, known weaknesses, digests of images: into build/release
	$(BIN)/python -m ops.release build/release

.PHONY: release-tools
release-tools: $(STAMP)  ## pip-audit, without which a release says that it was not asked
	$(UV) pip install --quiet --python $(BIN)/python "pip-audit>=2.9,<3"

.PHONY: clean
clean:  ## remove what was made, .venv included
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): requirements-dev.lock requirements-build.lock pyproject.toml | $(BIN)/uv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock \
		--build-constraints requirements-build.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# What makes a client of the OpenAPI document, as anybody would.
$(CLIENT): requirements-client.lock | $(STAMP)
	$(UV) venv --quiet --clear $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	@touch $@

# Only documents are linted with it: whoever has no Node, or no registry, does without.
$(SPECTRAL): ops/spectral/package.json ops/spectral/package-lock.json | $(STAMP)
	@mkdir -p $(@D) && cp $^ $(@D)
	@{ command -v npm >/dev/null && cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch $(@F); } \
	|| echo "Spectral is not installed (it needs Node): OpenAPI and AsyncAPI are not linted"
