# Everything a user or a developer runs. Python 3.11+, git, make and python3-venv are all that must be there before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Photos that the benchmarks look at: any folder with faces.
BENCH_IMAGES ?= ../shared/data/lfw/images
# Rows of the largest gallery that the match benchmark fills; 2500000 take 12 GB of memory and 5 GB of disk.
BENCH_ROWS ?= 2500000

.PHONY: install demo test test-fast simulate check bench screenshots catalogs lock safeguards clean

install: $(VENV)/.installed
	$(BIN)/moiety models install

$(VENV)/.installed: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "from moiety.kernel import warm_up; warm_up()"  # compiles the kernel once, not in three parts at once
	touch $@

$(VENV)/.tested: $(VENV)/.installed requirements/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	touch $@

# A real OpenID Connect provider, for the tests of sign-in alone.
.cache/oidc/.installed: tests/oidc/package.json tests/oidc/package-lock.json tests/oidc/provider.mjs
	mkdir -p .cache/oidc
	cp $^ .cache/oidc
	cd .cache/oidc && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

demo: install
	$(BIN)/moiety demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(DATA),--data "$(DATA)") $(if $(PORT),--port $(PORT)) $(DEMO_FLAGS)

# Files in the order of their folders and not of how many tests are in them: what takes long comes before the unit tests.
test: install $(VENV)/.tested .cache/oidc/.installed
	$(BIN)/moiety models install dlib
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

# Without processes, browsers and large galleries.
test-fast: install $(VENV)/.tested
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow" tests/unit tests/contract tests/property tests/simulation $(PYTEST_FLAGS)

# Lives of a whole site in which everything dies: RUNS by seeds; SEED=n, or STEP=n FATE=f, is one of them again.
simulate: install $(VENV)/.tested
	$(BIN)/python tests/simulate.py $(if $(SEED),--seed $(SEED),$(if $(STEP),--step $(STEP) --fate $(or $(FATE),before),\
	  --runs $(or $(RUNS),200)))

check: $(VENV)/.installed $(VENV)/.tested
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Peers live in an environment of their own.
.peer/.installed: requirements/peer.txt
	$(PYTHON) -m venv .peer
	.peer/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/peer.txt
	touch $@

bench: install $(VENV)/.tested .peer/.installed
	$(BIN)/moiety bench match --rows $(BENCH_ROWS) --batch 64 --json
	$(BIN)/moiety bench import --rows 100000 --json
	$(BIN)/moiety bench vision --images $(BENCH_IMAGES) --json
	$(BIN)/moiety bench identify --images $(BENCH_IMAGES) --rows 10000 --json
	$(BIN)/moiety bench pages --subjects 100000 --json
	$(BIN)/moiety bench ledger --entries 1000000 --json

# Pictures of every page of a running installation, in build/screenshots, which git ignores.
screenshots: install $(VENV)/.tested
	PYTHONPATH=tests $(BIN)/python tests/screenshots.py build/screenshots

# The console's texts, written anew after a page says something else; translations of what nobody says are dropped.
catalogs: $(VENV)/.tested
	PYTHONPATH=tests $(BIN)/python tests/catalogs.py

# Pins every dependency by name, version and hash, without download addresses.
lock: $(VENV)/.tested
	for set in run otel test "peer --no-deps" "models --no-deps"; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    requirements/$${set%% *}.in -o requirements/$${set%% *}.txt $$(echo "$$set" | cut -s -d' ' -f2) || exit 1; done

# docs/safeguards.md, from the tests that show each line.
safeguards: $(VENV)/.tested
	$(BIN)/python tests/safeguards_page.py

clean:
	rm -rf $(VENV) .peer .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
