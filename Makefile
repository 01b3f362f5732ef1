# `make demo` plays and reports, `make test` checks everything; both set up .venv first.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/runtime
	examples/demo.sh $(abspath $(BIN))

test: .venv/dev lint
	$(BIN)/pytest --numprocesses=2 --dist=loadfile

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.venv/runtime: pyproject.toml
	@$(PYTHON) --version || { echo "error: $(PYTHON) not found; name yours: make demo PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv .venv || { echo "error: no venv module; run: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[calvin]'
	touch $@

.venv/dev: .venv/runtime
	$(BIN)/pip install --quiet --editable '.[all,dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
