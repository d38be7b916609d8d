# Everything sets itself up: a virtual environment in .venv, pinned by constraints.txt.

PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13 3,$(shell command -v python$(v) 2>/dev/null)))
BIN := .venv/bin
# pip compiles what it installs one file after the other; this does it on all processors at once.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/' "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >/dev/null 2>&1 || true
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --no-compile -c constraints.txt
# A browser of pip's own cache may warn about links it ignores; errors still show.
export PIP_NO_INPUT := 1
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

.venv-peers/installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip --quiet install -c constraints.txt -e '.[dev]'
	@.venv-peers/bin/python -m pip --quiet install 'diffusers==0.42.1' 'pythae==0.1.2'
	@touch $@

flips: .venv/installed-dev  ## a bit turned in every file of a workspace: the same comes out, or it is said; half an hour
	@$(BIN)/python -m trials.flips

clean:  ## removes the environment, not the data or the models
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

.venv/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found on the PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

# What of this project is installed, and what can be imported then.
define install
	@$(PIP) -e '$(1)' 2>&1 | { grep -v "is ignored: it is neither" || true; }
	@$(COMPILE)
	@$(BIN)/python -c 'import $(2)' || { echo "The installation is not complete; see above."; exit 1; }
endef
USED := genwright, torch, prefect.flows
TESTED := $(USED), pytest, hypothesis, mypy

.venv/installed: .venv/made pyproject.toml constraints.txt
	@echo "Installing Genwright and what it needs into .venv; this takes about two minutes."
	$(call install,.,$(USED))
	@touch $@

.venv/installed-dev: .venv/made pyproject.toml constraints.txt
	@echo "Installing Genwright, what it needs and the tools for the tests into .venv; this takes about two minutes."
	$(call install,.[dev],$(TESTED))
	@touch .venv/installed $@
