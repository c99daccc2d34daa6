#!/usr/bin/env bash
# What gpu.sh --emulated has in place of a device; gpu.sh calls it after its build.
#   tests/bench/gpu_rehearsal.sh BUILD JOBS
# In BUILD/bin: the emulated sallyport_cuda.so, and a gpu_floor that says made-up figures. In BUILD/stand-ins: a
# compute-sanitizer that only runs the program. The pack's strong detector becomes the small one: emulated, the other
# takes seconds a picture. Nothing that comes out is a measurement, except what faces_compare says of precision.
set -euo pipefail
build=${1:?BUILD} jobs=${2:?JOBS}
cmake --build "$build" -j "$jobs" --target emulated_module test_emulated_pixels test_emulated_conv test_emulated_separable
cp "$build/emulated/sallyport_cuda.so" "$build/bin/"
for family in pixels conv separable; do cp "$build/bin/test_emulated_$family" "$build/bin/test_cuda_$family"; done
mkdir -p "$build/stand-ins"
cat >"$build/bin/gpu_floor" <<'SCRIPT_END'
#!/bin/sh
echo "device emulated sm_00, 6 multiprocessors, 4096 MiB, L2 0 MiB"
[ "${1:-}" = --look ] && exit 0
echo "floor copy_read_and_write 1 GB/s"
echo "floor product_f16_8192 1.0 TFLOP/s"
echo "floor launch 1.00 us"
SCRIPT_END
cat >"$build/stand-ins/compute-sanitizer" <<'SCRIPT_END'
#!/bin/sh
[ "$1" = --tool ] && [ "$3" = --error-exitcode ] || { echo "compute-sanitizer: other arguments than gpu.sh's" >&2; exit 2; }
shift 4
"$@" || exit
echo "========= ERROR SUMMARY: 0 errors"
SCRIPT_END
chmod +x "$build/bin/gpu_floor" "$build/stand-ins/compute-sanitizer"
pack=$build/pack/face-api
# The lines of `cheap` stand for those of `strong` too.
awk '/^  strong:/ {print; skip = 1; next}
  /^  cheap:/ {skip = 0; cheap = 1; print; next}
  /^[^ ]/ && cheap {cheap = 0}
  !skip && !(cheap && 0)' "$pack/pack.yaml" >/dev/null
