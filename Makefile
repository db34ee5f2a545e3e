# Everything runs in a virtual environment of its own, made at first use.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/pip --disable-pip-version-check --quiet
# A socket that nobody closes is an error; by the environment, since workers inherit that.
TRIAL = env PYTHONWARNINGS=error::ResourceWarning $(BIN)/python -m twisted.trial --temp-directory=build/trial
# Most tests wait for processes of their own: as many of them at once as there are processors.
JOBS ?= $(shell nproc)
SEED ?= 1
SECONDS ?= 60
SEEDS ?= 1-1000

.PHONY: help demo test lint types docs bench bench-host bench-sctp attack attack-quick fuzz scope simulate interop
.PHONY: test-install test-oldest test-pythons clean

help:
	@echo "make demo          a registrar, three servers, a client: the whole story in a minute"
	@echo "make test          the tests; those of SCTP are in make interop"
	@echo "make lint types    ruff, codespell; mypy"
	@echo "make docs          the documentation, in build/docs"
	@echo "make bench         the speed: bench-host, in build/bench.json; bench-sctp, in"
	@echo "                   build/bench-sctp.json (packages: as for make interop)"
	@echo "make attack        attacks on a registrar, measured, in build/attack (ten minutes)"
	@echo "make attack-quick  only the strongest of them, with limits (two minutes)"
	@echo "make fuzz          decoders under mutated messages, for SECONDS=60"
	@echo "make scope         three registrars under load, killed ten times, for real"
	@echo "make interop       SCTP and rsplib, in a kernel that has SCTP (packages: see the message)"
	@echo "make simulate      a scope of registrars on a simulated network, SEEDS=1-1000"
	@echo "make test-install  wheel and sdist, each in a new environment"
	@echo "make test-oldest   the tests on the oldest versions that setup.cfg allows"
	@echo "make test-pythons  the tests on each Python from 3.11 to 3.14 that is found; the newest"
	@echo "                   alone with PYTHONS=--newest"
	@echo "make clean         away with build and the environments"

# The stamp is as new as the metadata it was made from.
$(VENV)/stamp: setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ..."
	@$(PIP) install --config-settings editable_mode=compat -e '.[test]'
	@touch $@

$(VENV)/stamp-tools: $(VENV)/stamp
	@$(PIP) install '.[lint,docs]' build
	@$(PIP) install --config-settings editable_mode=compat --no-deps -e .
	@touch $@

demo: $(VENV)/stamp
	@$(BIN)/python tools/demo.py

test: $(VENV)/stamp
	@echo "tests of SCTP aren't among these: make interop runs them in a kernel of their own"
	@mkdir -p build && rm -f build/secrets.txt
	$(TRIAL) --jobs=$(JOBS) tests
	@$(BIN)/python -m tests.secrets build/trial/test.log build/trial/*/*.log

lint: $(VENV)/stamp-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell rserpool tests docs etc tools bench attack examples README.rst

types: $(VENV)/stamp-tools
	$(BIN)/mypy

docs: $(VENV)/stamp-tools
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

bench: bench-host bench-sctp

bench-host: $(VENV)/stamp
	@mkdir -p build
	$(BIN)/python -m bench

bench-sctp: $(VENV)/stamp
	@mkdir -p build
	$(BIN)/python -m tests.interop.lab -t 1200 -- $(BIN)/python -m bench.sctp build/bench-sctp.json

$(VENV)/stamp-attack: $(VENV)/stamp
	@$(PIP) install --config-settings editable_mode=compat -e '.[test,attack]'
	@touch $@

attack: $(VENV)/stamp-attack
	$(BIN)/python -m attack

attack-quick: $(VENV)/stamp
	$(BIN)/python -m attack --quick

fuzz: $(VENV)/stamp
	$(BIN)/python -m tests.fuzz $(SECONDS)

# SCTP, in a kernel of its own; INTEROP names some of the tests.  Then tshark reads what was sent.
INTEROP ?= tests.interop
interop: $(VENV)/stamp
	@mkdir -p build
	@rm -rf build/interop build/trial-interop.lock
	@$(BIN)/python -m tests.interop.lab -t 1500 -- $(TRIAL)-interop $(INTEROP)
	@$(BIN)/python -m tests.interop.captures build/interop

simulate: $(VENV)/stamp
	$(BIN)/python -m tests.simulation $(SEEDS)

scope: $(VENV)/stamp
	SCOPE_ELEMENTS=300 SCOPE_KILLS=10 $(TRIAL)-scope tests.test_scope.Killed

test-install: $(VENV)/stamp-tools
	$(BIN)/python tools/install_test.py $(BIN)/python

test-oldest:
	$(PYTHON) tools/oldest.py

test-pythons:
	$(PYTHON) tools/pythons.py $(PYTHONS)

clean:
	rm -rf build dist *.egg-info .venv .venv-*
