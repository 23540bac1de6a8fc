# One line of help per target: `make help`.
PYTHON ?= python3
VENV   ?= .venv
FLOW_VENV ?= .venv-flow
BIN     = $(VENV)/bin
RECIPE ?= synthetic-laptop
APP_PORT ?= 8866
# Here Voila finds the page of the app, which asks nothing of other hosts.
APP_LOOK = maam_lib/playground
FUZZ ?= --minutes 10
# A machine without an NVIDIA driver takes PyTorch's CPU build, where its index can be reached: 0.2 GB instead of 3 GB.
TORCH   = $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
CPU_INDEX = https://download.pytorch.org/whl/cpu
# Learned flow has an environment of its own: ptlflow needs other versions than the kit.
FLOW_PACKAGES = $(shell sed -n 's/^ *- \([a-z]*\) ==\([0-9.]*\).*/\1==\2/p' environment-flow.yml)
# Two workers of pytest, one thread each, measured faster than one worker with two threads.
TEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help env flow-env reproduce sample test test-quick test-import fuzz bench lab app check tree format clean

help:        ## show this help
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## ?/\1\t/' | expand -t 15

env: $(VENV)/ready  ## create .venv with everything that test, reproduce and lab need, if it is not there

$(VENV)/ready:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"maam needs Python 3.11 or newer, found {sys.version.split()[0]} at {sys.executable}. Try: make env PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	command -v nvidia-smi >/dev/null || [ "$$(uname -s)" != Linux ] || \
	  $(BIN)/pip install --quiet --no-deps --retries 1 --index-url $(CPU_INDEX) $(TORCH) || true
	$(BIN)/pip install --quiet -c constraints.txt $(TORCH)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[notebooks,test,dev,onnx]'
	@touch $@

flow-env: $(FLOW_VENV)/ready  ## create .venv-flow with ptlflow for learned optical flow (2 GB; optional)

$(FLOW_VENV)/ready:
	$(PYTHON) -m venv --clear $(FLOW_VENV)
	command -v nvidia-smi >/dev/null || [ "$$(uname -s)" != Linux ] || \
	  $(FLOW_VENV)/bin/pip install --quiet --no-deps --retries 1 --index-url $(CPU_INDEX) $(filter torch%,$(FLOW_PACKAGES)) || true
	$(FLOW_VENV)/bin/pip install --quiet $(FLOW_PACKAGES)
	@$(FLOW_VENV)/bin/python -c 'from data_prep.learned_flow import import_ptlflow as ptl; print("ready:", ", ".join(ptl().get_model_names()))'
	@touch $@

reproduce: env  ## run the notebooks into reports/$(RECIPE) (RECIPE=synthetic-laptop)
	$(BIN)/maam reproduce $(RECIPE)

sample: env  ## build reports/sample again: the executed notebooks and the report, small enough to keep
	$(BIN)/maam reproduce synthetic-laptop --root runs/sample-data --out runs/sample-report
	$(BIN)/python docs/make_sample.py runs/sample-report reports/sample

test: env    ## run the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TEST_ARGS)

test-quick: env  ## tests to run while editing: those that neither train nor start processes, under a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m 'not slow'

test-import: env  ## install the extra `import` (TensorFlow, 1.5 GB) and test the reading of checkpoints
	$(BIN)/pip install --quiet -c constraints.txt -e '.[import]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/maam_lib/test_released.py

fuzz: env    ## kills, full disks, damaged files, names and pairs against every command, 10 minutes (FUZZ='--minutes 10 --seed 1')
	$(BIN)/python -m tests.campaign $(FUZZ)

bench: env   ## measure speed as ratios (BENCH='forward training' for some groups), into benchmarks/results
	OMP_NUM_THREADS=1 $(BIN)/maam bench $(BENCH)

lab: env     ## open the notebooks in JupyterLab, the first one in view
	$(BIN)/jupyter lab --notebook-dir notebooks --LabApp.default_url=/lab/tree/00_start_here.ipynb

app: env     ## the app: scores, memory, training and runs in the browser, at http://127.0.0.1:$(APP_PORT) (APP_PORT=8866)
	@echo "the app: http://127.0.0.1:$(APP_PORT) (Ctrl-C ends it)"
	@cd notebooks && JUPYTER_PATH=$(abspath $(APP_LOOK)) exec $(abspath $(BIN))/voila app.ipynb --template=app --port=$(APP_PORT) --Voila.port_retries=0

check: env   ## style: ruff, formatting, types, imports between the wings, notebooks without outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo >$(VENV)/arrows.txt || { cat $(VENV)/arrows.txt; false; }
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/nbstripout --verify --keep-id --extra-keys 'metadata.papermill cell.metadata.papermill' notebooks/*.ipynb

tree: env    ## print the wings with their lines, and count the imports between them
	$(BIN)/python docs/make_tree.py

format: env  ## let ruff and nbstripout put code and notebooks in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id --extra-keys 'metadata.papermill cell.metadata.papermill' notebooks/*.ipynb

clean:       ## delete the environment, caches and generated reports; prepared data and runs stay
	rm -rf $(VENV) $(FLOW_VENV) .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
