# `make demo` and `make test` need Python 3.11 to 3.13 and nothing else; they make .venv themselves.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# One more than there are cores: a test often waits for the processes that it starts.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
PHOTOS ?= photochrom/demo_photographs/colour

.PHONY: demo test test-fast test-flink test-hosts test-prism lint bench model lock clean

demo: $(VENV)/installed  ## the whole workflow on the sample photographs
	$(BIN)/photochrom demo --output demo-out

test: $(VENV)/installed  ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup tests

test-fast: $(VENV)/installed  ## all tests but whole jobs, trainings and servers, under a minute; for the edit-run loop
	$(BIN)/python -m pytest -n 2 -m "not job and not cluster and not hosts and not prism" tests

test-flink: $(VENV)/installed  ## both Beam jobs on a Flink of two TaskManagers; needs Java 11 or 17 and Maven
	$(BIN)/python -m pytest -m cluster tests/clusters

test-hosts: $(VENV)/installed  ## both Beam jobs on a Flink of three addresses, all in a bucket, a host killed or cut off; needs root and `ip` as well
	$(BIN)/python -m pytest -m hosts tests/clusters/test_hosts.py

test-prism: $(VENV)/installed  ## both Beam jobs on Prism, which Go builds once; needs Go
	$(BIN)/python -m pytest -m prism tests/clusters/test_prism.py

lint: $(VENV)/installed  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed  ## the tables of benchmarks/; PHOTOS=folder of photographs
	$(BIN)/python -m benchmarks --photographs $(PHOTOS)

model: $(VENV)/installed  ## the default model, from PHOTOS="folder ..." of colour photographs; hours on two cores
	$(BIN)/photochrom prepare $(addprefix --input ,$(PHOTOS)) --output model-out/dataset --ab_stride 4 \
		--split train=0.9,validation=0.1 --num_shards 16
	$(BIN)/photochrom train --data model-out/dataset --model_dir model-out/run \
		--backbone EfficientNetLite0 --crop 160 --steps 1200 --fine_tune_steps 3600 --fine_tune_share 1 \
		--fine_tune_learning_rate 2e-4 --confidence_steps 1500 --eval_every 600 --eval_examples 0
	$(BIN)/photochrom evaluate --model model-out/run/bundle --data model-out/dataset --output model-out/evaluation

$(VENV)/installed: setup.py constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.13 with venv found; install one, or make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# uv takes a third of pip's time; pip alone where only pip's own settings lead to a registry.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev]' || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

lock:  ## newest versions that fit together, for every supported Python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --extra dev setup.py --output-file constraints.txt

clean:
	rm -rf $(VENV) demo-out model-out build *.egg-info .pytest_cache .ruff_cache .mypy_cache
