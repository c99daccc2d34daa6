#!/usr/bin/env bash
# Installs what the tests need, builds and runs them: release whole, then the sanitizer presets on what fits.
#   tests/run.sh                  all of it; exit 1 on any failure, one CTest summary last
#   tests/run.sh --preset asan    one preset alone
# Extra data (real faces, other models) is taken from $SALLYPORT_TEST_DATA, by default ../shared/data; tests that need it
# say SKIP where it is absent.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/setup.sh

presets=(asan tsan release)
while [[ $# -gt 0 ]]; do
  case $1 in
    --preset) presets=("${2:?--preset needs a name}"); shift 2 ;;
    -h|--help) sed -n '2,6p' "$0"; exit 0 ;;
    *) sed -n '2,6p' "$0" >&2; exit 2 ;;
  esac
done

# faces_of_package: where there is no extra data, the faces of the package's photos stand in for it, a folder of pNNNN_1.jpg cut
# out as the demo does: one picture of each person.
faces_of_package() {
  local people=$top/build/pack/people frame name
  if [[ ! -d $people/faces ]]; then
    "$top/build/release/bin/sallyport-demo-frames" --pack "$SALLYPORT_PACK" --photos "$SALLYPORT_PHOTOS" --output "$people" >&2
    mkdir -p "$people/faces"
    for frame in "$people"/frames/*/*-plain.jpg; do
      name=${frame##*/}
      cp "$frame" "$people/faces/p0${name:1:1}0${name:3:1}_1.jpg"
    done
  fi
  printf '%s\n' "$people"
}

export SALLYPORT_TEST_DATA=${SALLYPORT_TEST_DATA:-$(cd .. && pwd)/shared/data}
setup_machine tests

# The pack is made once, by the release build: the sanitizer builds use it too.
setup_build release
export SALLYPORT_PACK; SALLYPORT_PACK=$(setup_pack "$top/build/release/bin")
export SALLYPORT_PHOTOS=$top/build/pack/package/demo
if [[ ! -d $SALLYPORT_TEST_DATA ]]; then
  say "no extra test data at $SALLYPORT_TEST_DATA: the package's photos serve as faces, tests on other models are skipped"
  SALLYPORT_TEST_DATA=$(faces_of_package)
fi
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$top/tests/tsan.supp

failed=0
for preset in "${presets[@]}"; do
  [[ $preset == release ]] || setup_build "$preset"
  # What fits: no long runs under the sanitizers; under the thread sanitizer, where nets run on the plain C reference, no
  # whole stack either, and no comparison of nets, which have no threads.
  case $preset in
    asan) selection=(-LE slow) ;;
    tsan) selection=(-LE 'slow|flow|nets') ;;
    *) selection=() ;;
  esac
  say "testing preset $preset"
  (cd "build/$preset" && ctest --output-on-failure --timeout 300 -j "$(nproc)" "${selection[@]}") || failed=1
done
[[ $failed == 0 ]] || { say "some tests failed: see above"; exit 1; }
