# `make demo` and `make test` need Python 3.11 to 3.13 and nothing else; they make .venv themselves.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# One more than there are cores: a test often waits for the processes that it starts.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
PHOTOS ?= photochrom/demo_photographs/colour
# Of `make model`: photographs of the first run, if they are others than PHOTOS; further flags of all runs; the folder.
FIRST_PHOTOS ?=
MODEL_FLAGS ?=
MODEL_OUT ?= model-out
FIRST_DATA := $(MODEL_OUT)/$(if $(FIRST_PHOTOS),first-dataset,dataset)
PREPARE_MODEL = $(BIN)/photochrom prepare --ab_stride 4 --split train=0.9,validation=0.1 --num_shards 16
TRAIN_MODEL = $(BIN)/photochrom train --crop 160 --fine_tune_share 1 --eval_examples 0
CONTINUE_MODEL = $(TRAIN_MODEL) --data $(MODEL_OUT)/dataset --steps 0 --freeze_batch_norm --confidence_steps 1000
CALIBRATE_MODEL = --chroma_ratio 0.83 --chroma_exponent 0.9
# Of `make period`: the bundle, and at most so many photographs (0: all).
MODEL ?= default
LIMIT ?= 0

.PHONY: demo test test-fast test-flink test-hosts test-prism lint bench docs model period lock clean

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

docs: $(VENV)/installed  ## the documentation as a site, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

model: $(VENV)/installed  ## the four runs of the default model and the mean of three, from PHOTOS="folder ..." of colour photographs; hours on two cores
	$(PREPARE_MODEL) $(addprefix --input ,$(PHOTOS)) --output $(MODEL_OUT)/dataset
	$(if $(FIRST_PHOTOS),$(PREPARE_MODEL) $(addprefix --input ,$(FIRST_PHOTOS)) --output $(FIRST_DATA))
	$(TRAIN_MODEL) --data $(FIRST_DATA) --model_dir $(MODEL_OUT)/first --backbone EfficientNetLite0 \
		--steps 1200 --fine_tune_steps 3600 --fine_tune_learning_rate 2e-4 --confidence_steps 1500 --eval_every 600 $(MODEL_FLAGS)
	$(CONTINUE_MODEL) --model_dir $(MODEL_OUT)/second --init $(MODEL_OUT)/first/bundle \
		--fine_tune_steps 4000 --fine_tune_learning_rate 1e-4 --eval_every 500 $(MODEL_FLAGS)
	$(CONTINUE_MODEL) --model_dir $(MODEL_OUT)/third --init $(MODEL_OUT)/second/bundle \
		--fine_tune_steps 9000 --fine_tune_learning_rate 2e-4 --weight_average 0.999 --eval_every 500 $(MODEL_FLAGS)
	$(CONTINUE_MODEL) --model_dir $(MODEL_OUT)/fourth --init $(MODEL_OUT)/third/bundle --crop 0 --seed 1 \
		--fine_tune_steps 1500 --fine_tune_learning_rate 5e-5 --weight_average 0.998 --eval_every 250 \
		$(CALIBRATE_MODEL) $(MODEL_FLAGS)
	$(BIN)/photochrom train --data $(MODEL_OUT)/dataset --model_dir $(MODEL_OUT)/run \
		$(foreach run,second third fourth,--init $(MODEL_OUT)/$(run)/bundle) \
		--steps 0 --fine_tune_steps 0 --confidence_steps 0 --eval_examples 0 $(CALIBRATE_MODEL)
	$(BIN)/photochrom evaluate --model $(MODEL_OUT)/run/bundle --data $(MODEL_OUT)/dataset --output $(MODEL_OUT)/evaluation

period: $(VENV)/installed  ## test on old colour photographs: PHOTOS=folder, turned gray, coloured by MODEL=bundle, compared
	$(BIN)/photochrom evaluate --model $(MODEL) --data $(PHOTOS) --output period-out --enlarge --limit $(LIMIT)

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
	rm -rf $(VENV) demo-out model-out period-out build *.egg-info .pytest_cache .ruff_cache .mypy_cache
