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

.PHONY: help demo test test-browser test-deploy test-large test-local test-slow test-vllm suites lint types imports router manifest lock setup ui \
  vllm vllm-lock local local-lock clean

help:
	@echo "make demo   set up and inspect bundled pictures     make ui      open the chat page"
	@echo "make test   set up and run the tests                make lint types imports   checks"
	@echo "make vllm   set up the server of kenpin serve       make test-vllm   tests against it"
	@echo "make test-deploy   what deploy/ holds, with nginx before the real pages"
	@echo "make local  set up --planner local, for the CPU     make test-local  tests of it"

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
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m "not browser and not large and not slow and not vllm and not local and not deploy"

test-browser: setup
	@$(BIN)/python -m pytest -m browser tests/ui

# nginx with the repository's configuration before the pages; skipped where it is not installed.
test-deploy: setup
	@$(BIN)/python -m pytest -m deploy -rs tests/deploy

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

# The server's own environment: vLLM for the CPU. Its torch is the CPU build, which PyPI has not: pip's own setting
# PIP_FIND_LINKS (a folder, or the page of CPU builds on the site of PyTorch) says where the wheel is.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
VLLM := .venv-vllm

vllm: $(VLLM)/.synced

$(VLLM)/.synced: vllm.lock | setup
	@$(PYTHON) -c 'import sys, platform as p; sys.exit(0 if sys.version_info[:2] == (3, 11) and p.machine() == "x86_64" and p.system() == "Linux" else "make vllm: vllm.lock is for Python 3.11 on Linux x86_64; elsewhere install vLLM as its own pages say and set KENPIN_VLLM_PYTHON")'
	@test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	@$(BIN)/uv pip install -q --python $(VLLM)/bin/python --no-deps --require-hashes -r vllm.lock || \
	  { echo "make vllm: the packages of vllm.lock cannot be had; torch==2.13.0+cpu is found where PIP_FIND_LINKS points" >&2; exit 1; }
	@touch $@

# Where the packages cannot be had the tests are skipped, and say so; with KENPIN_REQUIRE_VLLM=1 they fail.
test-vllm: setup
	@$(MAKE) -s vllm || true
	@$(BIN)/python -m pytest -m vllm -rs tests/vllm

# Run after a change of deploy/vllm/vllm.in.
vllm-lock: $(BIN)/python
	@$(BIN)/uv pip compile deploy/vllm/vllm.in --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --overrides deploy/vllm/overrides.txt -o vllm.lock

# What --planner local needs, in Kenpin's own environment: torch for the CPU (found as for make vllm), transformers and
# xgrammar. Its versions agree with requirements.lock.
local: $(VENV)/.local

$(VENV)/.local: local.lock $(VENV)/.synced
	@$(BIN)/python -c 'import sys, platform as p; sys.exit(0 if sys.version_info[:2] == (3, 11) and p.machine() == "x86_64" and p.system() == "Linux" else "make local: local.lock is for Python 3.11 on Linux x86_64; elsewhere, and for cards, install torch as its own pages say, then kenpin[local]")'
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r local.lock || \
	  { echo "make local: the packages of local.lock cannot be had; torch==2.13.0+cpu is found where PIP_FIND_LINKS points" >&2; exit 1; }
	@touch $@

# Where the packages cannot be had the tests are skipped, and say so; with KENPIN_REQUIRE_LOCAL=1 they fail.
test-local: setup
	@$(MAKE) -s local || true
	@$(BIN)/python -m pytest -m local -rs tests/vllm

# Run after a change of deploy/local/local.in, and after make lock.
local-lock: $(BIN)/python
	@$(BIN)/uv pip compile deploy/local/local.in -c requirements.lock --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --no-header --overrides deploy/vllm/overrides.txt -o local.lock

clean:
	rm -rf $(VENV) $(VLLM) .mypy_cache .ruff_cache .pytest_cache var
