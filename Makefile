# Everything happens in a virtual environment in .venv, which these commands make themselves.

PYTHON ?= python3
BIN := .venv/bin
# What is installed of torch, for `make test` and training only, and where pip finds it. Left empty on
# Linux without a GPU, that is PyTorch's own index of CPU builds, 200 MB instead of 3 GB, if it
# answers within seconds: tests/tools/torch_index.py
TORCH ?= torch==2.13.0
TORCH_INDEX ?= $(shell $(PYTHON) tests/tools/torch_index.py)
# Processes that run the tests: tests/conftest.py says which runs what. JOBS=0: this one.
JOBS ?= 2
PYTEST := $(BIN)/pytest -n $(JOBS)
# What `make quality` measures, and on what: make quality DATA=../shared/data
DATA ?= ../shared/data
MODEL ?= daemon/segued/models/segue-int8.onnx
FOLDERS ?= $(DATA)/rolls/valid $(DATA)/pop909/valid $(DATA)/unseen

.PHONY: run gpu demo bench test test-live test-others quick quality fuzz install-service uninstall-service \
	lint format clean

run: .venv/player
	$(BIN)/segued run --config config.yaml

# Once, on a machine with an NVIDIA GPU: onnxruntime for CUDA in the place of the CPU's. The two
# cannot stand side by side.
gpu: .venv/player
	$(BIN)/python -m pip uninstall --quiet --yes onnxruntime
	$(PIP) --force-reinstall --no-deps "onnxruntime-gpu>=1.21,<2"
	$(PIP) "onnxruntime-gpu[cuda,cudnn]>=1.21,<2"
	$(BIN)/segued check --set inference.device=cuda

demo: .venv/player
	$(BIN)/segued demo

bench: .venv/player
	$(BIN)/segued bench

# A service of your own, or with SYSTEM=1 one of the machine's. INSTANCE=NAME: one more instrument,
# segued@NAME. SEGUED=PATH: an installed command other than .venv/bin/segued.
SEGUED ?= $(BIN)/segued
OWNER := $(if $(SYSTEM),--system)

install-service: $(if $(filter $(BIN)/segued,$(SEGUED)),.venv/player)
	$(SEGUED) install-service $(OWNER) $(if $(INSTANCE),--instance $(INSTANCE))

uninstall-service: $(if $(filter $(BIN)/segued,$(SEGUED)),.venv/player)
	$(SEGUED) uninstall-service $(OWNER)

# Live tests mostly wait. Meanwhile the others compute when those wait; what they report comes as a
# whole when they end. With CI set, one after the other: slower, and steadier on a busy machine.
test: lint
	@$(MAKE) --no-print-directory -j $(if $(CI),1,2) test-live test-others

BEHIND := $(if $(shell command -v chrt),chrt --idle 0,nice -n 19)

test-live:
	$(PYTEST) -m live

test-others:
	$(BEHIND) $(PYTEST) -m "not live" >.venv/report 2>&1; status=$$?; cat .venv/report; exit $$status

# What to run before each commit: all that needs neither real time nor long computing, with fewer
# examples of what Hypothesis makes up; a minute on two cores.
quick: lint
	$(PYTEST) --hypothesis-profile quick -m "not live and not slow"

# The tables and pictures of a model card into out/quality; about an hour on two cores.
quality: .venv/test
	$(BIN)/segue-export quality $(MODEL) $(FOLDERS) --out out/quality --cache prepared --workers 2

# A million hostile inputs; SHARE=0.01 for a short look.
fuzz: .venv/test
	$(PIP) --editable ".[fuzz]"
	$(BIN)/python -m tests.fuzz --share $(or $(SHARE),1)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info

.venv/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else "Segue needs Python 3.11 to 3.14, this is %d.%d: make PYTHON=python3.13 ..." % v)'
	$(PYTHON) -m venv .venv
	touch $@

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NO_WHEEL := a library has no wheel for this system or Python: docs/install.md says which do, and what to do

.venv/player: .venv/python pyproject.toml setup.py
	$(PIP) --editable . || { echo "make: $(NO_WHEEL)" >&2; exit 1; }
	touch $@

.venv/test: .venv/python pyproject.toml setup.py
	@index="$(TORCH_INDEX)"; echo "installing $(TORCH) $${index:+from $$index}"; $(PIP) $${index:+--index-url "$$index"} "$(TORCH)" || { echo "make: $(NO_WHEEL)" >&2; exit 1; }
	$(PIP) --editable ".[train,test]" || { echo "make: $(NO_WHEEL)" >&2; exit 1; }
	touch $@ .venv/player
