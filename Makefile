# make demo: the main job, without data or GPU.   make test: the whole test suite.   make check: style, floors.
# make mutants: do the tests notice a changed line?
# make bench PEERS="--peer-i3d /path ...": speed against peers and the machine's limit.   make bench-check: has a ratio fallen?
# Each makes its own environment in .venv first; a second call finds it ready.

PYTHON ?= python3
BIN := .venv/bin
# byte code on all cores; without it every command compiles torch anew where Python is told to write none (some packages hold templates)
COMPILE = @$(BIN)/python -m compileall -qq -j 0 .venv/lib src || true
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: demo test test-fast check mutants bench bench-check install clean

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

.venv/installed: pyproject.toml constraints.txt
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python $(PYTHON) .venv && \
	  uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
	  $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[dev]'; \
	fi
	$(COMPILE)
	@touch $@

.venv/mutants: .venv/installed
	@if command -v uv >/dev/null; then \
	  uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev,mutants]'; \
	else \
	  $(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[dev,mutants]'; \
	fi
	@touch $@

# What the peers' loaders need. mmcv, which SimMMDG's imports, is built here, by the setuptools of its time.
.venv/bench: .venv/installed benchmarks/build-constraints.txt
	@if command -v uv >/dev/null; then \
	  uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev,bench]' && \
	  { uv pip install -q --python $(BIN)/python --no-deps --build-constraints benchmarks/build-constraints.txt mmcv==1.2.7 || \
	    echo "mmcv could not be built: the loader of SimMMDG will be skipped"; }; \
	else \
	  $(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[dev,bench]' && \
	  { PIP_CONSTRAINT=benchmarks/build-constraints.txt PIP_BUILD_CONSTRAINT=benchmarks/build-constraints.txt \
	    $(BIN)/python -m pip install -q --no-deps mmcv==1.2.7 || \
	    echo "mmcv could not be built: the loader of SimMMDG will be skipped"; }; \
	fi
	$(COMPILE)
	@touch $@

clean:
	rm -rf .venv demo runs mutants .pytest_cache .ruff_cache .hypothesis
