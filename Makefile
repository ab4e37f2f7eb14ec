# Thin: each target installs what it needs (tools/setup) and calls one script.
# PYTHON=/path/to/python3: an interpreter that has what `parity` needs, instead of .venv.
.DEFAULT_GOAL := help
ifdef PYTHON
export LAUREL_PYTHON := $(PYTHON)
endif
.PHONY: help demo test bench parity format build clean

help:
	@echo 'make demo     build, fetch a small model, train, evaluate and publish a reward model: out/demo/report.html'
	@echo 'make test     everything that CI runs: layers, format, tests, sanitizers, fuzzers'
	@echo 'make build    the program: build/release/bin/laurel'
	@echo 'make bench    kernels against OpenBLAS and BLIS, and the micro-benchmarks'
	@echo 'make parity   rewards, training and speed side by side with transformers and TRL (needs several GB for torch)'
	@echo 'make format   clang-format over the sources'
	@echo 'make clean    remove build/ and out/'

demo:
	@tools/setup demo
	@tools/demo

test:
	@tools/setup test
	@tools/run_tests

build:
	@tools/setup build
	@cmake --preset release
	@cmake --build build/release

bench:
	@tools/setup bench
	@tools/run_benchmarks

parity:
	@tools/setup parity
	@tools/run_parity

format:
	@tools/setup format
	@tools/check_format --fix

clean:
	rm -rf build out
