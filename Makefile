# make demo: the main job, without data or GPU.   make test: the whole test suite.   make check: style, floors and types.
# make mutants: do the tests notice a changed line?   make lowest: the fast tests with the oldest releases that are allowed (wants uv).
# make bench PEERS="--peer-i3d /path ...": speed against peers and the machine's limit.   make bench-check: has a ratio fallen?
# Each makes its own environment in .venv first; a second call finds it ready.

PYTHON ?= python3
BIN := .venv/bin
# Byte code is written, on all cores, also where Python is told to write none: without it every command compiles torch anew, and every
# call of the tests all of them (some packages hold templates).
export PYTHONDONTWRITEBYTECODE :=
COMPILE = @$(BIN)/python -m compileall -qq -j 0 .venv/lib src || true
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Install egonorm with its extras $(1). A torch that is in .venv and fits stays, whatever its build. uv is called from elsewhere: here
# it would read the pin in pyproject.toml.
comma := ,
define INSTALL
	@$(BIN)/python tools/pins.py > .venv/pins.txt
	@if command -v uv >/dev/null; then \
	  cd / && uv pip install -q --python $(CURDIR)/$(BIN)/python -c $(CURDIR)/.venv/pins.txt -e '$(CURDIR)[$(1)]'; \
	else \
	  $(BIN)/python -m pip install -q --no-compile -c .venv/pins.txt -e '.[$(1)]'; \
	fi
endef

.PHONY: demo test test-fast check lowest mutants bench bench-check install clean

demo: .venv/installed
	OMP_WAIT_POLICY=passive $(BIN)/egonorm demo

test: .venv/installed
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

test-fast: .venv/installed
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

lowest: .venv/lowest
	.venv-lowest/bin/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

# Hashes and random examples are those of every run, and no GPU is seen: autograd does not work in forks of a process that used one.
mutants: .venv/mutants
	rm -rf mutants
	CUDA_VISIBLE_DEVICES= PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/mutmut run
	$(BIN)/python tests/survivors.py

bench: .venv/bench
	$(BIN)/python -m benchmarks $(PEERS)

bench-check: .venv/bench
	$(BIN)/python -m benchmarks --check $(PEERS)

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt tools/pins.py
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python $(PYTHON) .venv; \
	else \
	  $(PYTHON) -m venv .venv; \
	fi
	$(call INSTALL,dev)
	$(COMPILE)
	@touch $@

.venv/mutants: .venv/installed
	$(call INSTALL,dev$(comma)mutants)
	@touch $@

# What the peers' loaders need. mmcv, which SimMMDG's imports, is built here, by the setuptools of its time.
.venv/bench: .venv/installed benchmarks/build-constraints.txt
	$(call INSTALL,dev$(comma)bench)
	@if command -v uv >/dev/null; then \
	  uv pip install -q --python $(BIN)/python --no-deps --build-constraints benchmarks/build-constraints.txt mmcv==1.2.7; \
	else \
	  PIP_CONSTRAINT=benchmarks/build-constraints.txt PIP_BUILD_CONSTRAINT=benchmarks/build-constraints.txt \
	    $(BIN)/python -m pip install -q --no-deps mmcv==1.2.7; \
	fi || echo "mmcv could not be built: the loader of SimMMDG will be skipped"
	$(COMPILE)
	@touch $@

# The oldest releases that pyproject.toml allows; of torch, the build that .venv has.
.venv/lowest: .venv/installed
	@command -v uv >/dev/null || { echo "make lowest needs uv: pip install uv"; exit 1; }
	@uv venv -q --clear --python $(PYTHON) .venv-lowest
	@cd / && uv pip install -q --python $(CURDIR)/.venv-lowest/bin/python --resolution lowest-direct \
	  -c $(CURDIR)/.venv/pins.txt -e '$(CURDIR)[dev]'
	@touch $@

clean:
	rm -rf .venv .venv-lowest demo runs mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis
