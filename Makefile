PYTHON ?= python3
BIN := .venv/bin

.PHONY: env demo test lint docs pages release web
.DELETE_ON_ERROR:

env: .venv/ready

.venv/core: requirements-core.txt setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -r requirements-core.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/ready: .venv/core requirements.txt requirements-mm.txt
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -r requirements-mm.txt
	touch $@

demo: .venv/core
	$(BIN)/bpr demo

test: env
	$(BIN)/python -m pytest -n 2

MODEL ?= starter-fast

web: env web/node_modules/.package-lock.json
	$(BIN)/python tools/build_web.py --model $(MODEL) --out build/web

web/node_modules/.package-lock.json: web/package-lock.json
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	touch $@

docs: .venv-docs/ready
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

.venv-docs/ready: requirements-docs.txt
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install -q --disable-pip-version-check -r requirements-docs.txt
	touch $@

pages: env
	$(BIN)/python -m tests.docs.run_pages

lint: env
	$(BIN)/ruff check .
	$(BIN)/mypy bpr/geometry bpr/formats bpr/evaluation bpr/refinement tests/release/typed_program.py

release: env
	$(BIN)/python -m tests.release.check
