#!/usr/bin/env bash
# Finds what building and testing need and installs what is missing with apt-get. It says what it installs and why,
# installs nothing that is there already, and fails with the command to run where it cannot install.
#
# Usage: scripts/setup.sh build|test|fuzz…
set -euo pipefail

# What apt-get is to install: filled by `need`, emptied by `install_missing`.
packages=()

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# need COMMAND PACKAGE REASON: notes the Debian package when the command is not there.
need() {
  command -v "$1" >/dev/null 2>&1 && return
  say "$1 is missing: $3; installing the Debian package $2"
  packages+=("$2")
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    fail "neither root nor sudo; run as root: apt-get install ${packages[*]}"
  fi
}

# Debian starts a service as it installs its package. The tests start their own servers on free ports, so the packages'
# are kept from starting, and from starting at the next boot, unless the machine has a policy of its own.
policy=/usr/sbin/policy-rc.d
policy_is_ours=

forbid_services() {
  [ ! -e "$policy" ] || return 0
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  policy_is_ours=yes
  as_root chmod 0755 "$policy"
}

allow_services() {
  [ -n "$policy_is_ours" ] || return 0
  as_root rm -f "$policy"
  policy_is_ours=
}

install_missing() {
  [ "${#packages[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null 2>&1 ||
    fail "no apt-get on this machine; install by hand what Debian calls: ${packages[*]}"
  local had_service=
  [ ! -e /lib/systemd/system/prometheus.service ] || had_service=yes
  trap allow_services EXIT
  forbid_services
  say "apt-get update"
  as_root apt-get update -qq
  say "apt-get install --no-install-recommends ${packages[*]} (services are not started)"
  as_root apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
  if [ -z "$had_service" ] && [ -d /run/systemd/system ] && [[ " ${packages[*]} " == *' prometheus '* ]]; then
    as_root systemctl disable --quiet prometheus.service
  fi
  allow_services
  packages=()
}

# found COMMAND: after the installation, a command that is still missing is an error, never a skipped test.
found() {
  command -v "$1" >/dev/null 2>&1 || fail "$1 is still missing after the installation; put it on the PATH"
}

# version_at_least COMMAND WANTED FOUND
version_at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$3" | sort -V | head -n 1)" = "$2" ] ||
    fail "$1 is version $3, and at least $2 is needed"
}

setup_build() {
  command -v cargo >/dev/null 2>&1 ||
    fail "cargo is missing; install the Rust toolchain from https://rustup.rs and open a new shell"
  need cc 'gcc' 'the cryptography of TLS is partly C'
  [ -e /usr/include/stdlib.h ] || ! command -v apt-get >/dev/null 2>&1 || {
    say "the C library's headers are missing; installing the Debian package libc6-dev"
    packages+=(libc6-dev)
  }
  install_missing
  found cc
}

setup_test() {
  need python3 python3 'the tests against real servers are Python, standard library only'
  need prometheus prometheus 'a real Prometheus scrapes the exporter'
  need chromium chromium 'the status page is read in a real browser'
  need chromedriver chromium-driver 'it drives that browser'
  install_missing
  # One package up to Debian 12, two after it.
  need promtool promtool 'it checks the rules and the exposition'
  install_missing
  local command
  for command in python3 prometheus promtool chromium chromedriver; do found "$command"; done
  # `keep_firing_for` of the alerting rules is that old.
  version_at_least promtool 2.42 "$(promtool --version 2>&1 | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
  version_at_least python3 3.9 "$(python3 -c 'import platform; print(platform.python_version())')"
}

setup_fuzz() {
  need c++ g++ 'libFuzzer is C++'
  install_missing
  found c++
}

[ $# -gt 0 ] || fail "usage: scripts/setup.sh build|test|fuzz…"
for part in "$@"; do
  case "$part" in
    build) setup_build ;;
    test) setup_test ;;
    fuzz) setup_fuzz ;;
    *) fail "no such part: $part; the parts are build, test and fuzz" ;;
  esac
done
