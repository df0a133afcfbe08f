# Needs only Python 3.11 or later and make; everything else is installed into .venv from the lock, once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test faults outages image containers kubernetes simulate bench check sbom metrics rules topics lock clean

help: ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## The whole job on this machine, under a minute, nothing to start by hand
	@$(BIN)/rokt-worker demo

test: $(READY) ## Every test, on the embedded broker and on a real Apache Kafka where one can be had
	@$(BIN)/python -m pytest -n 3 --dist worksteal --ignore=tests/faults --ignore=tests/outages --ignore=tests/containers --ignore=tests/cluster/test_api_server.py
	@$(BIN)/python -m pytest tests/faults tests/outages # alone: they load and measure the machine

faults: $(READY) ## The long fault runs: crashes, rebalances, a dying broker; about half an hour
	@WORKER_TEST_FAULTS=long $(BIN)/python -m pytest -s tests/faults

outages: $(READY) ## The long outage runs: Rokt down, slow, throttling, half broken; ten minutes of 503; about half an hour
	@WORKER_TEST_OUTAGES=long $(BIN)/python -m pytest -s tests/outages

image: ## The image rokt-worker:local, by Docker; BASE=… builds on another Python
	@docker build -f deploy/Dockerfile $(if $(BASE),--build-arg BASE=$(BASE)) -t rokt-worker:local .

containers: $(READY) ## The image and deploy/compose.yaml on a real Docker engine: killed, restarted, balanced; minutes
	@$(BIN)/python -m pytest -s tests/containers

kubernetes: $(READY) ## deploy/kubernetes built, held against the schemas, and taken by a real API server; minutes, the first time
	@$(BIN)/python -m pytest tests/cluster

simulate: $(READY) ## The worker on a simulated clock, broker and Rokt: SEEDS=n of them, or SEED=n again, step by step
	@cd tests && PYTHONPATH=.. ../$(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000) --first $(or $(FIRST),0))

bench: $(READY) ## What it does a second and what an event costs, beside what others do; also as dist/bench.json; half an hour
	@cd tests && ../$(BIN)/python -m bench
	@cd tests && ../$(BIN)/python -m bench.transactions

check: $(READY) ## ruff, mypy --strict, and pip-audit where its advisories can be reached
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@cd tests && ../$(BIN)/python -m infra.audit

sbom: $(READY) ## dist/sbom.json: what goes into the image, as CycloneDX
	@mkdir -p dist
	@$(BIN)/cyclonedx-py requirements deploy/runtime.lock --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.json

topics: $(READY) ## deploy/topics.yaml, from the code
	@cd tests && ../$(BIN)/python -m infra.topics_manifest > ../deploy/topics.yaml

rules: $(READY) ## The alerts as prometheus-operator takes them, from deploy/observability
	@cd tests && ../$(BIN)/python -m infra.rule_manifest > ../deploy/kubernetes/components/podmonitor/rules.yaml

metrics: $(READY) ## The table of metrics in deploy/observability, from the code
	@cd tests && ../$(BIN)/python -m infra.metrics_table > ../deploy/observability/METRICS.md

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: ## Pins and hashes of every dependency, from pyproject.toml
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --extra dev pyproject.toml -o requirements.lock
	@sed -n 's/ *\\$$//; /^[a-z]/p' requirements.lock > $(VENV)-lock/pins
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--constraint $(VENV)-lock/pins pyproject.toml -o deploy/runtime.lock
	@echo hatchling | $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --constraint $(VENV)-lock/pins - -o deploy/build.lock
	@rm -rf $(VENV)-lock

clean: ## Away with everything that was built
	@rm -rf $(VENV) $(VENV)-lock .pytest_cache .mypy_cache .ruff_cache dist
