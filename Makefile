# make demo: install autotag and tag the example song.   make test: install everything and check everything.
# Both need Python 3.11 or newer; PYTHON=python3.13 chooses another one.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test clean

demo: .venv/demo
	$(BIN)/autotag examples/song.mp3

test: .venv/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

.venv:
	$(PYTHON) -m venv .venv

.venv/demo: pyproject.toml | .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/test: pyproject.toml | .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ .venv/demo

clean:
	rm -rf .venv
