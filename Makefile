# Slipway. `make demo` shows it, `make test` tests it; the rest is for working on it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build test test-swift test-client test-story lint format demo clean-demo dist dist-test bench clean

JOBS ?= $(shell nproc)
DATA ?= slipway-data
PORT ?= 5080
RELEASE := --configuration release -Xswiftc -gline-tables-only --jobs $(JOBS)
BINARY = .build/release/slipway

help:  ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Install what is missing: Debian packages, locked Python packages, web assets
	@scripts/setup.sh

build: setup  ## Build the program and the tests, in release: the one configuration that everything here uses
	@scripts/build.sh $(RELEASE)

demo: build  ## Play the whole story against a running server; it stays up, and a second call resumes
	@.venv/bin/python scripts/demo.py --binary $(BINARY) --data $(DATA) --port $(PORT)

clean-demo:  ## Stop the demo's server and throw its data away
	@scripts/clean-demo.sh $(DATA)

test: build  ## All tests: Swift, then the story end to end
	@$(MAKE) --no-print-directory test-swift test-client test-story dist-test

test-swift:
	SLIPWAY_TEST_PYTHON=$(CURDIR)/.venv/bin/python swift test $(RELEASE) --skip-build

test-client:
	SLIPWAY_BINARY=$(CURDIR)/$(BINARY) .venv/bin/python -m pytest Tests/client $(PYTEST)

test-story:
	.venv/bin/python -m pytest Tests/story $(PYTEST)

lint:  ## What CI checks before it builds
	swift format lint --strict --recursive Sources Tests Package.swift

format:
	swift format --in-place --recursive Sources Tests Package.swift

dist: build  ## A stripped archive and a Debian package, in dist/
	@scripts/dist.sh $(BINARY)

dist-test: dist  ## Install the package in a clean root and start it once
	@.venv/bin/python -m pytest Tests/story/test_dist.py -m dist $(PYTEST)

bench: build  ## Measure what docs/benchmarks.md lists
	@.venv/bin/python scripts/benchmarks.py --binary $(BINARY)

clean:  ## Remove what was built (not the demo's data, not the tools)
	rm -rf .build dist
