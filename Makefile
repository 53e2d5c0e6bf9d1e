# The two commands are `make demo` and `make test`; each makes .venv first, with every package pinned.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= safelight-demo
JOBS ?= 2

.PHONY: demo test tests setup lint style types docs bench train-demo-model train-text-model clean
.DEFAULT_GOAL := help

help:
	@echo "make demo               a whole night on this machine, over a synthetic hospital (OUT=$(OUT))"
	@echo "make test               the linter, the type checker and all tests, in $(JOBS) processes (JOBS=$(JOBS))"
	@echo "make setup              .venv with the safelight command in it"
	@echo "make docs               write the generated pages of docs/ anew"
	@echo "make bench              every benchmark, with its ratio to the floor"
	@echo "make train-demo-model   train the demo's model anew (under ten minutes on two cores)"
	@echo "make train-text-model   train the network that finds dim text anew (an hour on two cores)"

# torch comes by its exact version, before anything asks for a range of it: a range may bring a build of several GB.
# All processors compile what pip would with one, but for what no command imports: tests of packages, and torch's compiler. Packages carry
# files of other Pythons, too, which cannot be compiled.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check "$$(grep '^torch==' constraints.txt)" -c constraints.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q -j 0 -x '/(tests?|testing|_inductor|torch/(onnx|distributed|ao|fx))/' .venv/lib >/dev/null 2>&1 || true
	touch $@

setup: .venv/.installed
	@echo "Ready: $(BIN)/safelight --help"

demo: .venv/.installed
	$(BIN)/safelight demo --out $(OUT)

lint: style types

style: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed
	$(BIN)/mypy

# The type checker needs one processor for a minute or more, and tests often wait: it runs beside them. Either one's failure is make's.
test: style
	$(MAKE) --no-print-directory -j 2 types tests

# Each file's tests stay in one of JOBS processes; the folders' order lets the long ones begin first.
tests: .venv/.installed
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

docs: .venv/.installed
	$(BIN)/python -m data_contracts.document
	$(BIN)/python -m tasks.reason_page
	$(BIN)/python -m tasks.night_picture

bench: .venv/.installed
	$(BIN)/python -m benchmarks

train-demo-model: .venv/.installed
	$(BIN)/python -m tasks.inference.train

train-text-model: .venv/.installed
	$(BIN)/python -m tasks.deid.burned_in.dim_text.train

clean:
	rm -rf .venv build dist *.egg-info
