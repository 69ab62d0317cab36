# The whole loop in one place. `make` alone lists the targets; each works from a fresh clone and installs what it needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Cargo's own variable moves the build elsewhere; the checks must look where the build went.
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
BINARY := $(TARGET_DIR)/release/inference-exporter
# Arguments of `make demo`, as in: make demo ARGS='--listen 127.0.0.1:9000'
ARGS ?=
# One check against the real servers, as in: make test-real ONLY=test_prometheus.TextExposition
ONLY ?=
# One fuzz target and how long, as in: make fuzz TARGET=json SECONDS=600
TARGET ?=
SECONDS ?= 60

# Size and seed of the crash tests, as in: make test-crash KILLS=2000 SEED=7
KILLS ?= 500
SEED ?=

.PHONY: help build demo test test-rust test-fuzz test-rules test-dashboards test-real test-crash lint bench fuzz golden \
  setup-build setup-test setup-fuzz

help: ## this list
	@printf 'inference-exporter: quality of machine learning models as Prometheus metrics\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nStart with `make demo`, then open http://localhost:9897\n'

build: setup-build ## the release binary, in target/release/
	cargo build --release --locked

demo: setup-build ## three models with live traffic, late labels and a bad release, served on port 9897
	cargo run --release --locked -- demo $(ARGS)

test: setup-test test-rust test-fuzz test-rules test-dashboards test-real ## everything that proves the tree, real Prometheus and Chromium included

test-rust: setup-test ## the Rust tests alone; promtool checks what they write
	cargo test --locked

test-fuzz: setup-fuzz ## builds the fuzz targets and runs each over its committed corpus
	cargo test --locked --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET_DIR)"

test-rules: setup-test ## the alert rules and their unit tests, with promtool
	promtool check rules alerts/*.rules.yaml
	promtool test rules alerts/tests/*.yaml
	python3 scripts/check_alerts.py alerts

test-dashboards: setup-test ## what Grafana's dashboard linter asks for
	python3 scripts/check_dashboards.py dashboards/*.json

test-real: build setup-test ## the release binary against a real Prometheus and a real browser
	INFERENCE_EXPORTER="$(BINARY)" REAL_OUTPUT="$(TARGET_DIR)/real" python3 tests/real/run.py $(ONLY)

test-crash: build setup-test ## kills the release binary 500 times (KILLS=…) and compares every counter with the truth
	INFERENCE_EXPORTER="$(BINARY)" REAL_OUTPUT="$(TARGET_DIR)/real" CRASH_KILLS=$(KILLS) CRASH_SEED=$(SEED) \
		python3 tests/real/run.py test_crash

lint: setup-test setup-fuzz ## formatting, clippy, documentation, shell and Python syntax; warnings are errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET_DIR)" --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
	for script in .ci/run scripts/*.sh; do bash -n "$$script"; done
	python3 -m compileall -q scripts tests/real dashboards

bench: setup-build ## the benchmarks (criterion); results in target/criterion/
	cargo bench --locked

fuzz: setup-fuzz ## looks for bytes that break a promise; TARGET=json SECONDS=600, see fuzz/README.md
	scripts/fuzz.sh --seconds $(SECONDS) $(TARGET)

golden: setup-test ## rewrites the expected outputs; read the diff before you commit it
	UPDATE_GOLDEN=1 cargo test --locked
	git --no-pager diff --stat -- tests docs deploy

setup-build: ## what a build needs: cargo and a C compiler
	@scripts/setup.sh build

setup-test: ## what the tests need on top: Prometheus, promtool, Chromium, chromedriver
	@scripts/setup.sh build test

setup-fuzz: ## what the fuzz targets need on top: a C++ compiler
	@scripts/setup.sh build fuzz
