# Every verb makes its own .venv first. DATA names demonstrations, OUT where a run goes.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
OUT ?= runs/demo-$(shell date +%Y%m%d-%H%M%S)
BIN := .venv/bin

.PHONY: demo test check format bench

demo: .venv/ready
	@test -n "$(DATA)" || { echo "Name the demonstrations: make demo DATA=path/to/pusht_cchi_v7_replay.zarr" >&2; exit 2; }
	$(BIN)/steadyhand train pusht_state --data $(DATA) --minutes 2 --out $(OUT)
	$(BIN)/steadyhand evaluate $(OUT) --episodes 20 --video 3

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

check: .venv/ready
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/test_public_api.py tests/test_docs.py

format: .venv/ready
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

bench: .venv/ready
	$(BIN)/python benchmarks/speed.py

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
