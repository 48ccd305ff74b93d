# Every verb makes its own .venv first. OUT is where the demo goes; there, it goes on where it was.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
OUT ?= runs/demo
BIN := .venv/bin

.PHONY: demo test check format docs bench

demo: .venv/ready
	$(BIN)/steadyhand demo --out $(OUT)

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --max-worker-restart 0

check: .venv/ready
	$(BIN)/ruff format --check src tests benchmarks docs examples
	$(BIN)/ruff check src tests benchmarks docs examples
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/test_public_api.py tests/test_docs.py

format: .venv/ready
	$(BIN)/ruff format src tests benchmarks docs examples
	$(BIN)/ruff check --fix src tests benchmarks docs examples

docs: demo
	$(BIN)/python docs/make.py

bench: .venv/ready
	$(BIN)/python benchmarks/every_way.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/frames.py
	$(BIN)/python benchmarks/worlds.py
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/size.py
	$(BIN)/python benchmarks/exports.py
	$(BIN)/python benchmarks/aoti.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/large.py "$$(mktemp -d)"
	STEADYHAND_MESSAGES=100000 $(BIN)/pytest -q --show-capture=no tests/serving/test_hostile_messages.py

# The client of openpi is tested unchanged; it asks for an older numpy, and does not need it.
.venv/ready: pyproject.toml constraints.txt
	@echo "Installing into .venv, a minute or so …"
	@begun=$$(date +%s) && $(PYTHON) -m venv .venv && \
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' && \
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps openpi-client && \
	echo "Installed in $$(($$(date +%s) - begun)) s."
	@touch $@
