# make demo: the main job, without data or GPU.   make test: the whole test suite.   make check: style.
# Each makes its own environment in .venv first; a second call finds it ready.

PYTHON ?= python3
BIN := .venv/bin
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: demo test test-fast check install clean

demo: .venv/installed
	OMP_WAIT_POLICY=passive $(BIN)/egonorm demo

test: .venv/installed
	$(BIN)/python -m pytest -q

test-fast: .venv/installed
	$(BIN)/python -m pytest -q -m "not slow"

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python $(PYTHON) .venv && \
	  uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
	  $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

clean:
	rm -rf .venv demo runs .pytest_cache .ruff_cache .hypothesis
