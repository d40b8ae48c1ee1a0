# make run     board and tour, at the addresses it prints               make run PORT=8001
# make test    every test; ARGS goes to pytest                          make test ARGS="tests/core -x"
# make check   lint, format, types, layers
# make bench   measurements; ARGS as above
# make sim     many simulated schedules; planted bugs: sim-mutants      make sim N=3000 SEED=7
# make coverage  branches of core, drivers and stores: all of them, or it fails
# make mutants   every small mistake in the modules that decide, tried     make mutants ARGS=token
# make soak    crashes, races, floods, targets and schedules, for long
# make crash   kill -9 of workers and servers; docs/proof/crash.md        make crash N=5000 STRIKES=50
# make power   power cuts under SQLite; docs/proof/power-loss.md          make power N=1000
# make chaos   a bad line before every adapter; docs/proof/chaos.md       make chaos N=5000 BOARD=100000
# make proof   these three and a long simulation: all of docs/proof, in about an hour
# make fuzz    hostile targets, tokens and form bodies; others judge      make fuzz ARGS="--n 10000000 tokens"
# make upstream  other projects' test suites with seeother in between   make upstream ARGS="flask django"
# make realapps  real apps, bare and with one line around them      make realapps ARGS="trac wagtail"
# make versus   one shop on three frameworks, bare and with seeother     make versus ARGS=flask
# make clients   htmx, Turbo, Unpoly and fetch() in Chromium           make clients ARGS="-k turbo"
# make corpora   documents that break parsers, planted, before two judges  make corpora ARGS=html5lib
#
# Each one makes .venv by itself when it is missing. PYTHON chooses the interpreter, VENV the folder.

VENV   ?= .venv
PYTHON ?= python3
PORT   ?= 8000
N      ?= 3000
SEED   ?= 1
STRIKES ?= 50
BOARD  ?= 100000
BIN    := $(VENV)/bin

.PHONY: help run test check bench sim sim-mutants coverage mutants soak crash power chaos proof \
        upstream realapps versus clients corpora fuzz clean

help:
	@sed -n '/^# make/s/^# //p' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.stamp-demo
	@$(BIN)/seeother demo --port $(PORT)

test: $(VENV)/.stamp-dev
	$(BIN)/python -m $(if $(ARGS),pytest $(ARGS),tests)

check: $(VENV)/.stamp-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(VENV)/.stamp-dev
	$(BIN)/python -m tests.bench $(ARGS)

sim: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.sim --n $(N) --seed $(SEED) $(ARGS)

sim-mutants: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.sim --mutants --n 5000

# The tests of the spine, without browsers, servers of HTTP and the command line; the rest of the suite
# adds nothing to it.
SPINE  := tests/core tests/stores $(addprefix tests/adapters/test_,asgi.py wsgi.py exchange.py once_inside.py)

coverage: $(VENV)/.stamp-dev
	@$(BIN)/python -m coverage erase
	SCALE=0.1 $(BIN)/python -m coverage run -m pytest -q $(SPINE) $(ARGS)
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report

mutants: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.mutation $(ARGS)

soak: $(VENV)/.stamp-dev
	SCALE=15 $(BIN)/python -m pytest -s tests/crash/test_cycles.py tests/stores/test_trials.py tests/stores/test_flood.py
	SCALE=50 $(BIN)/python -m pytest -s tests/core/test_target.py -k hostile_strings
	SCALE=50 $(BIN)/python -m pytest -s tests/corpora/test_fuzz.py
	$(BIN)/python -m tests.sim --n 100000

# Each of them replaces its report: what stands there was written by a run.
crash: N = 5000
crash: $(VENV)/.stamp-dev
	$(BIN)/python -m tests.crash --kills $(N) --strikes $(STRIKES) --seed $(SEED) --write docs/proof/crash.md $(ARGS)

power: N = 1000
power: $(VENV)/.stamp-dev
	$(BIN)/python -m tests.power --cycles $(N) --seed $(SEED) --write docs/proof/power-loss.md $(ARGS)

chaos: N = 5000
chaos: $(VENV)/.stamp-dev
	$(BIN)/python -m tests.chaos --posts $(N) --board $(BOARD) --seed $(SEED) --write docs/proof/chaos.md $(ARGS)

proof: crash power chaos
	$(BIN)/python -m tests.sim --n 250000 --seed $(SEED) --write docs/proof/simulation.md

fuzz: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.fuzz $(ARGS)

upstream: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.upstream $(ARGS)

realapps: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.realapps $(ARGS)

versus: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.versus $(ARGS)

clients: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.clients $(ARGS)

corpora: $(VENV)/.stamp-dev
	@$(BIN)/python -m tests.corpora $(ARGS)

clean:
	rm -rf $(VENV) .upstream build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# One stamp per extra: `make run` needs `demo` only, everything else needs `dev`. A .venv that lost
# its pip or its interpreter is made anew. pip comes first: uv does not read pip's configuration.
$(VENV)/.stamp-%: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE_VENV)
	@$(BIN)/python -c $(NEW_ENOUGH)
	@echo "Installing seeother[$*] into $(VENV) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

NEW_ENOUGH = 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "seeother needs Python 3.11 or newer and found %d.%d.%d; name another one by: make PYTHON=..." % v[:3])'
NO_PYTHON  = "There is no $(PYTHON): install Python 3.11 or newer (Debian and Ubuntu: apt-get install python3 python3-venv)."
NO_VENV    = "$(PYTHON) cannot make a virtual environment: install the package python3-venv (Debian and Ubuntu: apt-get install python3-venv), or uv."

define MAKE_VENV
{ \
  command -v $(PYTHON) >/dev/null 2>&1 || { echo $(NO_PYTHON) >&2; exit 1; }; \
  $(PYTHON) -c $(NEW_ENOUGH) || exit 1; \
  $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 \
    || uv venv -q --clear --seed --python $(PYTHON) $(VENV) 2>/dev/null \
    || { rm -rf $(VENV); echo $(NO_VENV) >&2; exit 1; }; \
}
endef
