# Two commands for a newcomer: `make demo` and `make test`. Everything is installed into .venv; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# torch for CPUs comes from PyTorch's own index where that can be reached, else from PyPI (on Linux PyPI's build brings
# CUDA, some gigabytes). For a GPU: `make demo TORCH_INDEX=` or the index PyTorch names for your CUDA.
TORCH_INDEX ?= $(shell $(PYTHON) -c "import urllib.request as r; u = 'https://download.pytorch.org/whl/cpu'; r.urlopen(u + '/torch/', timeout=3); print(u)" 2>/dev/null)

CATALOG ?=
ARGS ?=

SECONDS ?= 300
SEED ?= 1

.PHONY: demo test check format faults bench-encode bench-quality bench-ingest bench-lanes bench-large bench-memory bench-search bench-words clean

demo: $(VENV)/.embedded  ## start everything with a catalog in it, search three times, keep serving
	@$(BIN)/shelfsight demo $(if $(CATALOG),--catalog "$(CATALOG)") $(ARGS)

# By file, since many share what is dear to make, and in the order given, which begins with the longest.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.dev  ## every test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/contracts tests/unit
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/e2e/test_reindex.py tests/e2e tests/integration
	$(BIN)/python -m pytest --ignore=tests/unit --ignore=tests/contracts --ignore=tests/e2e --ignore=tests/integration

check: $(VENV)/.dev  ## the one gate: format, lint, types, import contracts, quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/python -m pytest -q -m "not slow" $(SIDE_BY_SIDE) tests/contracts tests/unit

format: $(VENV)/.dev  ## bring the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: $(VENV)/.dev  ## kill everything at random while writing, then count what was lost (SECONDS=300 SEED=1)
	$(BIN)/python -m tests.faults.crasher --seconds $(SECONDS) --seed $(SEED)

bench-encode: $(VENV)/.dev  ## how fast encoders are, in batches, alone and asked at once
	$(BIN)/python -m benchmarks.encode

bench-quality: $(VENV)/.dev  ## how well the packaged encoder finds, on the clothing set
	$(BIN)/python -m benchmarks.encoder_quality

bench-ingest: $(VENV)/.dev  ## the whole way: products/s beside the bare encoder's pictures/s, and search quality over HTTP
	$(BIN)/python -m benchmarks.end_to_end

bench-lanes: $(VENV)/.dev  ## who waits for whom while a large import runs
	$(BIN)/python -m benchmarks.lanes

bench-memory: $(VENV)/.dev  ## what a server with the packaged encoder takes of a small machine
	$(BIN)/python -m benchmarks.memory --pictures 600

bench-large: $(VENV)/.dev  ## a hundred thousand rows: time, memory, reuse, the ledger's answers
	$(BIN)/python -m benchmarks.large_import

bench-search: $(VENV)/.dev  ## the index: storing, six filters, words, facets, pages, beside other engines (ARGS="--sizes 10000")
	$(BIN)/python -m benchmarks.search $(ARGS)

bench-words: $(VENV)/.dev  ## how well words find, what a least score keeps, how near near duplicates are
	$(BIN)/python -m benchmarks.words
	$(BIN)/python -m benchmarks.least_score
	$(BIN)/python -m benchmarks.near_duplicates

$(VENV)/.python:
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed; try: make PYTHON=python3.12')"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.torch: $(VENV)/.python constraints.txt
	@echo "installing torch ..."
	@$(PIP) torch==2.13.0 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	@touch $@

$(VENV)/.embedded: $(VENV)/.torch pyproject.toml
	@echo "installing Shelfsight ..."
	@$(PIP) -e ".[embedded]"
	@touch $@

$(VENV)/.dev: $(VENV)/.embedded
	@echo "installing what the tests need ..."
	@$(PIP) -e ".[dev]"
	@touch $@

clean:  ## remove what was installed and cached; the data directory stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
