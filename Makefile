# demo   a project with the default answers, set up and run on a real Flink and Kafka     test   everything
# lint   ruff and mypy over template, kit, hooks and tests                                 clean  what these leave
# docs   the site, with its reference pages and pictures made anew
# soak   a TaskManager killed $(COUNT) times, in a project with the default answers
# upgrades   each kind of broken version deployed $(COUNT) times over a job that runs: the old one must run again
# bench  the job against plain PyFlink, Flink SQL, Quix Streams, Bytewax and Pathway; some hours
BIN     := .venv/bin
PROJECT := build/flight-delays
KIT     := {{cookiecutter.project_slug}}/kit
TEMPLATE := $(shell find cookiecutter.json hooks '{{cookiecutter.project_slug}}' -type f -not -path '*/__pycache__/*' -not -path '*.egg-info/*')

.PHONY: demo soak upgrades test lint bench docs clean

# Where it is set, each Python process compiles PyFlink and Beam anew: uv leaves that to the first one.
unexport PYTHONDONTWRITEBYTECODE

COUNT := 50

demo: $(PROJECT)/Makefile
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(MAKE) --no-print-directory -C $(PROJECT) run

soak: $(PROJECT)/Makefile
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(MAKE) --no-print-directory -C $(PROJECT) soak COUNT=$(COUNT)

upgrades: .venv/.dev
	@TIMES=$(COUNT) $(BIN)/python -m pytest --verbose tests/kit/deployment/test_upgrade.py -k gives_way

# HOME: cookiecutter keeps a copy of the answers there.
$(PROJECT)/Makefile: .venv/.demo $(TEMPLATE)
	@rm -rf $(PROJECT)
	@mkdir -p build/tmp
	@HOME="$(CURDIR)/build" TMPDIR="$(CURDIR)/build/tmp" $(BIN)/cookiecutter . --no-input --default-config --output-dir build >/dev/null
	@touch $@

# A worker takes whole files, in the order of tests/conftest.py: they share a JVM, a cluster or a generated project.
test: .venv/.dev
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 3 --dist loadfile --no-loadscope-reorder --instafail $(TESTS)

lint: .venv/.dev
	@$(BIN)/ruff check --config pyproject.toml bench hooks scripts tests '$(KIT)'
	@$(BIN)/ruff format --check --config pyproject.toml bench hooks scripts tests '$(KIT)'
	@$(BIN)/python scripts/lint.py

bench: .venv/.dev
	@$(BIN)/python -m bench --all --latency --out docs/benchmarks

# The reference pages and the pictures are made from the code and committed; a test compares them.
docs: .venv/.dev
	@$(BIN)/python scripts/make_docs.py
	@$(BIN)/python scripts/make_pictures.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "The site is in site/index.html."

# Any Python that PyFlink supports; uv comes from PyPI where it is not installed.
.venv/.demo: pyproject.toml
	@set -e; rm -rf .venv; \
	for python in python3.11 python3.12 python3.10 python3; do \
	  $$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && break; \
	  python=; \
	done; \
	if [ -n "$$python" ]; then $$python -m venv .venv; $(BIN)/python -m pip install --quiet uv; \
	elif command -v uv >/dev/null; then uv venv --quiet --python 3.11 .venv; uv pip install --quiet --python $(BIN)/python uv; \
	else echo "error: there is no Python 3.10, 3.11 or 3.12 here. Install one (with venv), or uv." >&2; exit 2; fi; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group demo
	@touch $@

# Through a link, because uv would read the pyproject.toml above the kit, which is a template.
.venv/.dev: .venv/.demo cookiecutter.json $(KIT)/pyproject.toml
	@set -e; ln -sfn '../$(KIT)' .venv/kit; \
	flink=$$($(BIN)/python -c "import json; print(json.load(open('cookiecutter.json'))['_flink_versions']['2.2']['pyflink'])"); \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group dev --editable './.venv/kit[postgresql,profile,testing]' "apache-flink==$$flink" 'setuptools<81'
	@touch $@

clean:
	rm -rf .venv build site .mypy_cache .pytest_cache .ruff_cache
