#!/usr/bin/env bash
# Runs the fuzz targets of fuzz/ on the toolchain that builds the exporter: libFuzzer needs coverage from the compiler,
# which stable Rust gives through LLVM's own pass; only the sanitizers are nightly's, and without `unsafe` they have
# little to find. Stops at the first target that fails, and says how to run what it found again.
#
# Usage: scripts/fuzz.sh [--seconds N] [TARGET…]    all targets without one; 60 seconds each
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=60
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=$2 && shift 2 ;;
    *) break ;;
  esac
done
known=(fuzz/fuzz_targets/*.rs)
known=("${known[@]##*/}")
known=("${known[@]%.rs}")
targets=("${@:-${known[@]}}")
for target in "${targets[@]}"; do
  [ -e "fuzz/fuzz_targets/$target.rs" ] || {
    printf 'fuzz: no target is named %s; there are %s\n' "$target" "${known[*]}" >&2
    exit 2
  }
done

# What cargo-fuzz passes without a sanitizer.
flags=(
  --cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cllvm-args=-simplifycfg-branch-fold-threshold=0
)
# A build directory of its own: these flags go to every crate. A triple, or they would go to build scripts too.
build=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
bins=()
for target in "${targets[@]}"; do bins+=(--bin "$target"); done
RUSTFLAGS="${flags[*]}" cargo build --release --locked --manifest-path fuzz/Cargo.toml \
  --target-dir "$build" --target "$host" "${bins[@]}"

for target in "${targets[@]}"; do
  # New inputs go to a corpus that is not committed, and are there for the next run.
  found=$build/corpus/$target
  artifacts=$build/artifacts/$target
  mkdir -p "$found" "$artifacts"
  printf '\n=== fuzz %s for %s s\n' "$target" "$seconds"
  "$build/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
    -print_final_stats=1 -artifact_prefix="$artifacts/" "$found" "fuzz/corpus/$target" || {
    printf '\nfuzz: %s failed. Once more over the input named above: %s FILE\n' \
      "$target" "$build/$host/release/$target" >&2
    printf 'fuzz/README.md says what to do with it\n' >&2
    exit 1
  }
done
