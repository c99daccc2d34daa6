#!/usr/bin/env bash
# Installs what Sallyport needs on Debian 12, builds a preset and makes the default model pack. Sourced by demo.sh and
# tests/run.sh, or run by hand:   deploy/setup.sh [--preset release] [--tests]
# What is there already is not touched, so that a second run takes a second.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The machine's packages: to build, to run, and (with --tests) to test.
build_packages=(build-essential cmake ninja-build pkg-config
  libzmq3-dev libmsgpack-dev libhiredis-dev libsodium-dev libyaml-dev libmicrohttpd-dev libjansson-dev libxml2-dev
  libdnnl-dev libjpeg62-turbo-dev libturbojpeg0-dev libpng-dev libopenjp2-7-dev protobuf-c-compiler libprotobuf-c-dev libonnx-dev
  libcmocka-dev)
run_packages=(redis-server ca-certificates util-linux procps tzdata)
test_packages=(python3-zmq python3-msgpack python3-nacl python3-numpy python3-opencv clang libclang-rt-14-dev)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "cannot run '$*': be root, or install sudo"; fi
}

# setup_packages NAME...: install those that are missing.
setup_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^ii' || missing+=("$name")
  done
  [[ ${#missing[@]} == 0 ]] && return
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log; log=$(mktemp)
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >"$log" 2>&1 &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
      >>"$log" 2>&1 || { tail -20 "$log" >&2; fail "the packages did not install; the whole log: $log"; }
  rm -f "$log"
}

setup_machine() { # [tests]
  setup_packages "${build_packages[@]}" "${run_packages[@]}"
  command -v npm >/dev/null || setup_packages npm
  [[ ${1:-} != tests ]] || setup_packages "${test_packages[@]}"
}

setup_build() { # PRESET [TARGET]: the whole preset, or one target of it
  local preset=$1 target=${2:-all} log=$top/build/$1.log
  mkdir -p "$top/build"
  say "building preset $preset"
  (cd "$top" && cmake --preset "$preset" && cmake --build --preset "$preset" --target "$target") >"$log" 2>&1 ||
    { grep -nE 'error|Error|FAILED' "$log" | head -20 >&2; tail -20 "$log" >&2; fail "preset $preset does not build; the whole log: $log"; }
}

# The default pack, made once from the npm package and kept beside the builds. Prints its directory.
setup_pack() { # BIN
  local pack=$top/build/pack/face-api package=$top/build/pack/package
  if [[ ! -s $pack/pack.yaml ]]; then
    say "making the default model pack from the npm package (12.7 MB)"
    mkdir -p "$top/build/pack"
    "$1/sallyport" model import face-api --output "$pack" --keep-package "$package" >&2 ||
      fail "the model pack could not be made; see the message above"
  fi
  printf '%s\n' "$pack"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  preset=release tests=
  while [[ $# -gt 0 ]]; do
    case $1 in
      --preset) preset=${2:?--preset needs a name}; shift 2 ;;
      --tests) tests=tests; shift ;;
      *) sed -n '2,4p' "$0"; exit 2 ;;
    esac
  done
  setup_machine $tests
  setup_build "$preset"
  setup_pack "$top/build/$preset/bin"
fi
