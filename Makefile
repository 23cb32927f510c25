# Everything happens in a virtual environment in .venv, which these commands make themselves.

PYTHON ?= python3
BIN := .venv/bin
# Where pip finds torch, for `make test` and training only. On Linux without a GPU the CPU build is
# much smaller: make test TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
# Processes that run the tests that are not live, a file in one of them. JOBS=0: this one.
JOBS ?= 2
PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadfile
# What `make quality` measures, and on what: make quality DATA=../shared/data
DATA ?= ../shared/data
MODEL ?= daemon/segued/models/segue-int8.onnx
FOLDERS ?= $(DATA)/rolls/valid $(DATA)/pop909/valid $(DATA)/unseen

.PHONY: run gpu demo bench test quick quality install-service uninstall-service lint format clean

run: .venv/player
	$(BIN)/segued run --config config.yaml

# Once, on a machine with an NVIDIA GPU: onnxruntime for CUDA in the place of the CPU's. The two
# cannot stand side by side.
gpu: .venv/player
	$(BIN)/python -m pip uninstall --quiet --yes onnxruntime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "onnxruntime-gpu>=1.21,<2"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "onnxruntime-gpu[cuda,cudnn]>=1.21,<2"
	$(BIN)/segued check --set inference.device=cuda

demo: .venv/player
	$(BIN)/segued demo

bench: .venv/player
	$(BIN)/segued bench

# A service of your own, or with SYSTEM=1 one of the machine's. INSTANCE=NAME: one more instrument,
# segued@NAME. SEGUED=PATH: an installed command other than .venv/bin/segued.
INSTALL := systemd/install.py $(if $(SYSTEM),--system) $(if $(SEGUED),--segued $(SEGUED))

install-service: $(if $(SEGUED),,.venv/player)
	$(PYTHON) $(INSTALL) $(if $(INSTANCE),--instance $(INSTANCE))

uninstall-service:
	$(PYTHON) $(INSTALL) --uninstall

# Live tests run by themselves, one after the other.
test: lint
	$(PYTEST) -m "not live"
	$(BIN)/pytest -m live

# What to run before each commit: all that needs neither real time nor long computing; a minute.
quick: lint
	$(PYTEST) -m "not live and not slow"

# The tables and pictures of a model card into out/quality; about an hour on two cores.
quality: .venv/test
	$(BIN)/segue-export quality $(MODEL) $(FOLDERS) --out out/quality --cache prepared --workers 2

# A million hostile inputs; SHARE=0.01 for a short look.
fuzz: .venv/test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[fuzz]"
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
	$(PYTHON) -c 'import sys; sys.exit("Segue needs Python 3.11 or newer: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	touch $@

.venv/player: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[train,test]"
	touch $@ .venv/player
