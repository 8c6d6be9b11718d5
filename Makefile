# Every target does its own set-up: system packages through apt, an environment in .venv, the compiled modules.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
ARGS ?=
INTERFACE ?=
SECONDS ?=
VENV := .venv
BIN := $(VENV)/bin
VENV_TRAIN := .venv-train
TRAIN_BIN := $(VENV_TRAIN)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
PACKAGES := capture kernels models appliance collector simulator
COMPILED := $(wildcard $(foreach package,$(PACKAGES),$(package)/*.pyx $(package)/*.pxd))
SAMPLE := simulator/samples/sample.pcap.gz

.PHONY: help run test build lint format bench bench-live soak fuzz model train-env dist deb test-package check-arm64 clean
.PHONY: soak-live bench-collector bench-console soak-collector

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build $(VENV)/.with-collector ## start box, collector and console on simulated traffic (INTERFACE=eth0, SECONDS=60)
	@exec $(BIN)/python -m tools.run "$(INTERFACE)" "$(SECONDS)"

test: build $(VENV)/.with-test ## run the whole test suite (ARGS="-k sip" for a part of it)
	@tools/system-packages test
	@$(BIN)/pytest $(ARGS)

build: $(VENV)/.built ## make .venv/bin/sipwarden

lint: $(VENV)/.with-lint ## check style, types and Cython
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# cython-lint runs pycodestyle from the PATH
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint $(COMPILED) benchmarks/walk.pyx benchmarks/live/sender.pyx
	$(BIN)/mypy

format: $(VENV)/.with-lint ## rewrite the Python files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: build ## measure against sngrep, tshark and a bare walk of the same file
	@tools/system-packages bench
	@CFLAGS="-O3" $(BIN)/cythonize --quiet -3 --inplace benchmarks/walk.pyx
	@$(BIN)/python -m benchmarks $(ARGS)

bench-live: build ## measure live capture on a veth pair beside tcpdump and sngrep (as root)
	@tools/system-packages bench-live
	@CFLAGS="-O3" $(BIN)/cythonize --quiet -3 --inplace benchmarks/live/sender.pyx
	@$(BIN)/python -m benchmarks.live $(ARGS)

soak: build ## an hour of 200 calls a second on simulated time: memory must not grow
	@$(BIN)/python -m benchmarks.soak $(ARGS)

soak-live: ## ten minutes of 200 calls a second in real time, on a veth pair, through the service (as root)
	@$(MAKE) --no-print-directory bench-live ARGS="--soak $(ARGS)"

bench-collector: build $(VENV)/.with-test ## measure the collector under the load of 200 boxes (ARGS="--store sqlite")
	@tools/system-packages test
	@$(BIN)/python -m benchmarks.collector $(ARGS)

bench-console: build $(VENV)/.with-test ## measure the console's pages over a million findings (ARGS="--store sqlite")
	@tools/system-packages test
	@$(BIN)/python -m benchmarks.console $(ARGS)

soak-collector: build $(VENV)/.with-test ## kill, crash and cut the collector for minutes; counts must be exact
	@tools/system-packages test
	@$(BIN)/python -m benchmarks.collector_soak $(ARGS)

fuzz: build $(VENV)/.with-test ## throw mutated input at the readers, compiled with address and undefined-behaviour checks
	@fuzz/run $(ARGS)

model: train-env ## train the shipped bundles again, reproducibly
	$(TRAIN_BIN)/python -m models.training $(ARGS)

train-env: build $(VENV_TRAIN)/.installed ## make .venv-train with TensorFlow (needs Python 3.11)

check-arm64: build ## compile the generated C for arm64, to see that it is portable
	@tools/system-packages arm64
	@tools/check-arm64 $(BIN)/python

dist: $(VENV)/.with-dist ## wheel and sdist in dist/
	rm -rf dist
	$(BIN)/python -m build

deb: $(VENV)/.installed ## Debian packages of box and collector in dist/, each with an environment of its own under /opt
	@tools/deb $(BIN)/python

test-package: deb $(VENV)/.with-test ## install the packages in a booted Debian, and see them work (root; some minutes)
	@tools/system-packages container
	@SIPWARDEN_PACKAGE="$$(ls dist/sipwarden_*.deb)" SIPWARDEN_COLLECTOR_PACKAGE="$$(ls dist/sipwarden-collector_*.deb)" \
	    $(BIN)/pytest tests/package $(ARGS)

clean: ## remove what was built; downloaded environments too
	rm -rf build dist *.egg-info .venv .venv-train benchmarks/data
	find $(PACKAGES) benchmarks '(' -name '*.so' -o -name '*.c' ')' -delete

$(VENV)/.created:
	@tools/system-packages build $(PYTHON)
	@echo "making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml setup.py $(VENV)/.created
	@echo "installing sipwarden's dependencies in $(VENV)"
	@$(PIP) install 'setuptools>=77' 'Cython>=3.1' wheel
	@SIPWARDEN_SKIP_EXTENSIONS=1 $(PIP) install --no-build-isolation --editable .
	@touch $@

$(VENV)/.built: $(COMPILED) $(VENV)/.installed
	@echo "compiling the packet path"
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@# a start must not compile the Python modules, also where PYTHONDONTWRITEBYTECODE is set
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

$(VENV_TRAIN)/.installed: pyproject.toml setup.py $(VENV)/.installed
	@echo "installing TensorFlow and what training needs in $(VENV_TRAIN)"
	@$(PYTHON) -m venv $(VENV_TRAIN)
	@$(TRAIN_BIN)/pip --quiet --disable-pip-version-check install 'setuptools>=77' 'Cython>=3.1'
	@SIPWARDEN_SKIP_EXTENSIONS=1 $(TRAIN_BIN)/pip --quiet --disable-pip-version-check install \
	    --no-build-isolation --editable '.[train]'
	@touch $@

$(VENV)/.with-%: $(VENV)/.installed
	@echo "installing what $* needs in $(VENV)"
	@SIPWARDEN_SKIP_EXTENSIONS=1 $(PIP) install --no-build-isolation --editable '.[$*]'
	@touch $@
