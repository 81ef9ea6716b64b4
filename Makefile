# `make` lists what there is.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# one more than processors: tests wait for other processes now and then
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

.PHONY: help setup run demo test coverage lint bench peers curves load soak histories chaos

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: .venv/ready .sdk/ready ## make .venv with everything that the other targets need (Python 3.11 or newer)

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]' -c constraints.txt
	@touch $@

# the older of the two official clients, beside the newer one of the environment
.sdk/ready: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .sdk \
	  azure-communication-jobrouter==1.0.0
	@touch $@

run: .venv/ready ## run a router on http://localhost:8080 and https://localhost:8443
	$(BIN)/jobrouter serve

demo: .venv/ready ## play a small contact centre through the official client (under 30 s)
	$(BIN)/jobrouter demo

test: setup ## run all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

coverage: setup ## run the tests and report which lines of Lua and Python they reach (95 % at least)
	rm -rf .coverage-lua .coverage.*
	JOBROUTER_LUA_COVERAGE=$(CURDIR)/.coverage-lua $(BIN)/coverage run -m pytest -n $(WORKERS) \
	  --ignore tests/tree $(TESTS)
	$(BIN)/python -m tests.lua.coverage .coverage-lua
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95

lint: .venv/ready ## check formats, types and style of Python and Lua
	@command -v luacheck >/dev/null || { echo "luacheck is missing: apt-get install lua-check"; exit 1; }
	@command -v stylua >/dev/null || { echo "StyLua is missing: npm install -g @johnnymorganz/stylua-bin"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	stylua --check lua
	$(BIN)/python -c 'from engine.library import library; print(library().source)' \
	  | luacheck --quiet --filename lua/library.lua -

bench: .venv/ready ## measure speed and memory (JSON=file also writes the figures there)
	$(BIN)/python -m bench.functions $(if $(JSON),--json $(JSON))

peers: .venv/ready ## measure the router beside a minimal library, BullMQ and saq (needs node; 1 to 3 min)
	$(BIN)/python -m bench.peers $(ARGS)

curves: .venv/ready ## plot what a life cycle costs against the size of everything (about 8 min; ARGS='--help')
	$(BIN)/python -m bench.curves $(ARGS)

load: .venv/ready ## put a bounded load on replicas behind HAProxy (under 2 min; ARGS='--help' tells more)
	$(BIN)/python -m bench.load $(ARGS)

soak: .venv/ready ## compare any number of random operations with the twin (N=1000000)
	$(BIN)/python -m tests.twin.soak $(if $(N),--steps $(N))

chaos: .venv/ready ## break things on purpose and count what was promised (ARGS='cut_log --seed 2', ARGS=--help)
	$(BIN)/python -m tests.chaos $(ARGS)

histories: .venv/ready ## check the histories of concurrent clients against the twin (N=1000000)
	$(BIN)/python -m tests.histories $(if $(N),--operations $(N)) $(ARGS)
