# Everything is set up in .venv, by uv, from requirements.lock. Nothing outside this folder is changed.
PYTHON ?= python3
UV_VERSION := 0.9.30
VENV := .venv
BIN := $(VENV)/bin
# Processes that the tests are shared out to, whole files at a time.
TEST_JOBS ?= 2
export PYTHONDONTWRITEBYTECODE := 1
# A company's own certificates count too, where the machine has a certificate store.
export UV_NATIVE_TLS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),1,0)

.PHONY: help demo test test-browser test-large test-slow suites lint types imports router manifest lock setup ui clean

help:
	@echo "make demo   set up and inspect bundled pictures     make ui      open the chat page"
	@echo "make test   set up and run the tests                make lint types imports   checks"

setup: $(VENV)/.synced

$(VENV)/.synced: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "Python 3.11 to 3.13 needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install -q uv==$(UV_VERSION)
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	@$(BIN)/python -m kenpin.demo

ui: setup
	@$(BIN)/kenpin ui

test: setup
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m "not browser and not large and not slow and not vllm"

test-browser: setup
	@$(BIN)/python -m pytest -m browser tests/ui

test-slow: setup
	@$(BIN)/python -m pytest -m slow tests/integration

test-large: setup
	@$(BIN)/python -m pytest -m large tests/integration/test_large_pictures.py

suites: setup
	@$(BIN)/kenpin evaluate bench/suites/second/suite.jsonl --require 0.90

lint: setup
	@$(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports

router: setup
	@$(BIN)/python -m agent.router.fit
	@$(BIN)/python -m prompts.manifest

manifest: setup
	@$(BIN)/python -m prompts.manifest

# Run after a change of dependencies in pyproject.toml. No index or download address may enter the lock.
lock: $(BIN)/python
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --overrides overrides.txt -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache var
