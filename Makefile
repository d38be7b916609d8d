# Everything sets itself up: a virtual environment in .venv, pinned by constraints.txt.

PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13 3,$(shell command -v python$(v) 2>/dev/null)))
BIN := .venv/bin
# uv finds and unpacks in seconds what takes pip minutes. It is told to look where pip is configured to, and to choose as pip does.
told = $(shell $(1)/python -m pip config list 2>/dev/null | sed -n "s/.*\.$(2)='\(.*\)'/\1/p" | tr ' ' '\n' | sort -u)
places = $(patsubst %,--find-links %,$(call told,$(1),find-links)) $(patsubst %,--default-index %,$(call told,$(1),index-url)) \
	$(patsubst %,--index %,$(call told,$(1),extra-index-url)) --index-strategy unsafe-best-match --system-certs
uv = $(1)/uv pip install --quiet --python $(1)/python $(call places,$(1))
# pip warns of places where it finds nothing; what it could not do is still shown.
define uv-itself
	@$(1)/python -m pip --quiet --no-input --disable-pip-version-check install -c constraints.txt uv 2>&1 | { grep -v "is ignored: it is neither" || true; }
endef
# What is imported is compiled once, not by each of hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-long test-all lint check check-all bench bench-peers bench-few-labels frauds provoked soak flips clean

demo: .venv/installed  ## the main job on handwritten digits
	@$(BIN)/genwright run digits

test: .venv/installed-dev  ## the everyday tests
	@$(BIN)/python -m pytest -n auto --dist loadfile

# Many of these wait for servers and clocks, so there is work for one more than there are processors.
MORE = $$($(BIN)/python -c 'import os; print(1 + os.cpu_count())')

test-long: .venv/installed-dev  ## the tests that take minutes
	@$(BIN)/python -m pytest -m long -n $(MORE) --dist loadfile --durations 15

test-all: .venv/installed-dev  ## both, the long ones first, so that the others fill the gaps
	@$(BIN)/python -m pytest -m '' -n $(MORE) --dist loadfile --no-loadscope-reorder --durations 25

lint: .venv/installed-dev  ## style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check: .venv/installed-dev  ## lint and the everyday tests
	@$(MAKE) --no-print-directory lint test

check-all: .venv/installed-dev  ## lint beside all tests
	@$(MAKE) --no-print-directory -j2 lint test-all

bench: .venv/installed-dev  ## how long things take on this machine; a few minutes
	@$(BIN)/python -m benchmarks

frauds: .venv/installed-dev  ## which measure sees which fraud, on real data; some minutes
	@$(BIN)/python -m trials.frauds

soak: .venv/installed-dev  ## half an hour of kills at random moments: everything comes out as if there were none
	@$(BIN)/python -m trials.soak --minutes 30

provoked: .venv/installed-dev  ## trainings that go wrong in known ways, and what is said of them; some minutes
	@$(BIN)/python -m trials.provoked

bench-peers: .venv-peers/installed  ## quality after equal seconds beside peers, in an environment of their own; hours
	@.venv-peers/bin/python -m benchmarks.peers $(IMAGES)

bench-few-labels: .venv/installed-dev  ## what items without labels are worth, on Fashion-MNIST; an hour
	@$(BIN)/python -m benchmarks.few_labels $(IMAGES)

.venv-peers/installed: .venv-peers/made pyproject.toml constraints.txt
	$(call uv-itself,.venv-peers/bin)
	@$(call uv,.venv-peers/bin) -c constraints.txt -e '.[dev]'
	@$(call uv,.venv-peers/bin) 'diffusers==0.42.1' 'pythae==0.1.2'
	@touch $@

flips: .venv/installed-dev  ## a bit turned in every file of a workspace: the same comes out, or it is said; half an hour
	@$(BIN)/python -m trials.flips

clean:  ## removes the environment, not the data or the models
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

.venv/made .venv-peers/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found on the PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(@D)
	@touch $@

# What of this project is installed, and what can be imported then (and so is compiled once, and not by many processes at once).
define install
	$(call uv-itself,$(BIN))
	@$(call uv,$(BIN)) -c constraints.txt -e '$(1)'
	@$(BIN)/python -c 'import $(2)' || { echo "The installation is not complete; see above."; exit 1; }
endef
USED := genwright.reports.report, genwright.training.race, genwright.adapters.mlflow.registry, prefect.flows, dvc.repo
TESTED := $(USED), pytest, hypothesis, mypy

.venv/installed: .venv/made pyproject.toml constraints.txt
	@echo "Installing Genwright and what it needs into .venv; this takes about a minute."
	$(call install,.,$(USED))
	@touch $@

.venv/installed-dev: .venv/made pyproject.toml constraints.txt
	@echo "Installing Genwright, what it needs and the tools for the tests into .venv; this takes about a minute."
	$(call install,.[dev],$(TESTED))
	@touch .venv/installed $@
