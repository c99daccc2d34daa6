#!/usr/bin/env bash
# One run that builds and checks everything on a machine with a GPU: a compiler, CMake and the CUDA toolkit are enough, the
# rest is carried (gpu_carry.sh). Without a device every part that needs one prints SKIP and why.
#   tests/bench/gpu.sh [--part build|ops|sanitize|flow|bench]... [--tool memcheck|racecheck|initcheck]... [--carry DIR]
#                      [--archs LIST] [--seconds N] [--skips-as-fails]
# Default: all parts, in this order, with all tools. A part ends within --seconds (default 540); what it then had no time
# for failed, so give a slow machine a tool at a time. Carried folder: $SALLYPORT_CARRY, or
# build/carry where there is one; without it this machine's packages are used. Full logs and table.txt: $OUT, or
# build/gpu-logs. Exit 1 if anything failed (or was skipped, with --skips-as-fails).
set -uo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
parts=() tools=() carry=${SALLYPORT_CARRY:-} archs= seconds=540 strict=
while [[ $# -gt 0 ]]; do
  case $1 in
    --part) parts+=("${2:?}"); shift 2 ;;
    --tool) tools+=("${2:?}"); shift 2 ;;
    --carry) carry=${2:?}; shift 2 ;;
    --archs) archs=${2:?}; shift 2 ;;
    --seconds) seconds=${2:?}; shift 2 ;;
    --skips-as-fails) strict=1; shift ;;
    -h|--help) sed -n '2,8p' "$0"; exit 0 ;;
    *) sed -n '2,8p' "$0" >&2; exit 2 ;;
  esac
done
[[ ${#parts[@]} -gt 0 ]] || parts=(build ops sanitize flow bench)
for part in "${parts[@]}"; do
  [[ $part =~ ^(build|ops|sanitize|flow|bench)$ ]] || { echo "gpu.sh: no part '$part'" >&2; exit 2; }
done
[[ ${#tools[@]} -gt 0 ]] || tools=(memcheck racecheck initcheck)
for tool in "${tools[@]}"; do
  [[ $tool =~ ^(memcheck|racecheck|initcheck)$ ]] || { echo "gpu.sh: no tool '$tool'" >&2; exit 2; }
done
[[ $carry || ! -d build/carry ]] || carry=build/carry
[[ -z $carry ]] || { [[ -d $carry/sysroot ]] || { echo "gpu.sh: $carry is no folder of gpu_carry.sh" >&2; exit 2; }; carry=$(cd "$carry" && pwd); }
out=${OUT:-build/gpu-logs}; mkdir -p "$out"; out=$(cd "$out" && pwd)
build=$top/build/gpu bin=$top/build/gpu/bin
jobs=$(nproc)
table=$out/table.txt
say() { printf 'gpu.sh: %s\n' "$*" >&2; }

# Our programs need the carried libraries; python3 and compute-sanitizer must not see them.
ours=(env)
[[ -z $carry ]] || ours=(env PATH="$carry/sysroot/bin:$PATH:/usr/local/cuda/bin" LD_LIBRARY_PATH="$carry/sysroot/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
if [[ $carry ]]; then
  export PKG_CONFIG=$carry/sysroot/bin/pkgconf PKG_CONFIG_LIBDIR=$carry/sysroot/pkgconfig PKG_CONFIG_PATH=
  export SALLYPORT_TEST_DATA=$carry/data
else
  export SALLYPORT_TEST_DATA=${SALLYPORT_TEST_DATA:-$(cd .. && pwd)/shared/data}
fi
export PATH=$PATH:/usr/local/cuda/bin
export SALLYPORT_PACK=$build/pack/face-api SALLYPORT_PHOTOS=$build/pack/package/demo SALLYPORT_BIN=$bin SALLYPORT_SOURCE=$top

# The table: one row a check. row PART NAME RESULT TEXT
rows=()
row() { rows+=("$1|$2|$3|$4"); printf 'gpu.sh: %-9s %-34s %-4s %s\n' "$@" >&2; }

# step PART NAME SECONDS COMMAND...: run, log to PART-NAME.log, one row. Exit 77 is a skip; its text is the SKIP line.
deadline=0
step() {
  local part=$1 name=$2 most=$3 log=$out/$1-$2.log left start=$SECONDS code=0 text; shift 3
  left=$((deadline - SECONDS)); [[ $most -gt $left ]] && most=$left
  if [[ $most -lt 5 ]]; then row "$part" "$name" FAIL "no time left in this part"; return 1; fi
  timeout -k 10 "$most" "$@" >"$log" 2>&1 || code=$?
  text=$(grep -m1 -hE 'SKIP:' "$log" | cut -c1-150)
  case $code in
    0) row "$part" "$name" ok "$((SECONDS - start)) s${last_words:+; $(grep -hE "$last_words" "$log" | tail -1 | cut -c1-150)}" ;;
    77) row "$part" "$name" SKIP "${text:-exit 77}" ;;
    124|137) row "$part" "$name" FAIL "not within $most s; $log" ;;
    *) row "$part" "$name" FAIL "exit $code: $(grep -hE 'rror|FAIL|DIFFERS' "$log" | tail -1 | cut -c1-150); $log" ;;
  esac
  return $code
}
last_words=

# Why there is no device, or nothing where there is one.
without_device() {
  if [[ ! -x $bin/gpu_floor ]]; then echo "not built: run --part build first"; return; fi
  local text code=0
  text=$(timeout 60 "$bin/gpu_floor" --look 2>&1) || code=$?
  [[ $code == 0 ]] || printf '%s\n' "${text#SKIP: }" | head -1
}

part_build() {
  local cuda=80 generator=() words
  words=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1)
  [[ $words =~ ^[0-9]+\.[0-9]+$ ]] && cuda=${words/./} || { cuda=90; say "nvidia-smi names no device: building for sm_90"; }
  [[ $archs ]] && cuda=$archs
  command -v ninja >/dev/null && generator=(-G Ninja)
  step build configure 120 "${ours[@]}" cmake -S "$top" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DSALLYPORT_ONEDNN=OFF \
    -DSALLYPORT_CUDA=ON "-DSALLYPORT_CUDA_ARCHS=$cuda" ${carry:+-DCMAKE_PREFIX_PATH="$carry/sysroot"} || return
  step build compile 480 "${ours[@]}" cmake --build "$build" -j "$jobs" || return
  step build pack 120 "${ours[@]}" "$bin/sallyport" model import face-api --output "$SALLYPORT_PACK" --keep-package "$build/pack/package" \
    ${carry:+--package "$carry/data/vladmandic-face-api-1.7.15.tgz"}
}

folder_of_faces() { if [[ -d $SALLYPORT_TEST_DATA/faces ]]; then echo "$SALLYPORT_TEST_DATA/faces"; else echo "$SALLYPORT_PHOTOS"; fi; }

# Every op and kernel; then memory over two minutes of full load. What CTest calls skipped is counted; with a device, a skip of a cuda test is a failure.
part_ops() {
  local skipped cuda
  [[ -d $build/tests ]] || { row ops all FAIL "not built: run --part build first"; return; }
  last_words='tests passed' step ops ctest 390 "${ours[@]}" ctest --test-dir "$build" -L ops --output-on-failure --timeout 300 -j "$jobs"
  if [[ -z $nothing ]]; then
    last_words='^memory' step ops memory 145 "${ours[@]}" "$bin/vision_bench" --backend cuda --flat 120 "$SALLYPORT_PACK" \
      "$(folder_of_faces)"
  fi
  grep -E '^SKIP|Skipped' "$out/ops-ctest.log" >"$out/ops-skips.log" || :
  skipped=$(grep -cE '\*\*\*Skipped' "$out/ops-ctest.log"); cuda=$(grep -E '\*\*\*Skipped' "$out/ops-ctest.log" | grep -c cuda)
  if [[ $cuda -gt 0 && -z $nothing ]]; then row ops skips FAIL "$cuda tests of the device were skipped though there is one"
  elif [[ $skipped -gt 0 ]]; then row ops skips SKIP "$skipped tests, $cuda of them on the device${nothing:+: $nothing}"
  else row ops skips ok "none"; fi
}

# Every program that works on the device; the pictures' whole way on two faces. The tools share the part's time alike,
# the programs a tool's.
part_sanitize() {
  local tool what program share few=$out/few
  [[ -z $nothing ]] || { row sanitize all SKIP "$nothing"; return; }
  command -v compute-sanitizer >/dev/null || { row sanitize all SKIP "no compute-sanitizer in PATH"; return; }
  mkdir -p "$few"
  find "$SALLYPORT_TEST_DATA/faces" "$SALLYPORT_PHOTOS" -name '*.jpg' 2>/dev/null | sort | head -2 | xargs -I{} cp {} "$few/"
  for tool in "${tools[@]}"; do
    for what in "35 test_ops cuda" "20 test_cuda_match" "12 test_cuda_pixels" "10 test_cuda_pictures" "23 faces_compare --backend cuda $SALLYPORT_PACK $few"; do
      share=${what%% *}; what=${what#* }; program=${what%% *}
      # A program and its arguments; our folders hold no spaces.
      # shellcheck disable=SC2086
      last_words='ERROR SUMMARY|RACECHECK SUMMARY' step sanitize "$tool-$program" $((seconds * share / 100 / ${#tools[@]})) env SALLYPORT_QUICK=1 \
        ${carry:+LD_LIBRARY_PATH="$carry/sysroot/lib"} compute-sanitizer --tool "$tool" --error-exitcode 9 "$bin"/$what
    done
  done
  rm -rf "$few"
}

part_flow() {
  local faces=$SALLYPORT_TEST_DATA/faces kept=${carry:+$carry/data/faces.f32} device=cuda
  [[ -z $nothing ]] || { row flow faces SKIP "$nothing"; row flow stack SKIP "$nothing"; return; }
  if [[ ! -d $faces ]]; then row flow faces SKIP "no $faces"
  else
    if [[ -z $kept || ! -f $kept ]]; then
      kept=$out/faces.f32
      step flow f32 300 "${ours[@]}" "$bin/faces_compare" --backend cpu --write "$kept" "$SALLYPORT_PACK" "$faces" || kept=
    fi
    [[ -z $kept ]] || last_words='^faces_compare' step flow faces 240 "${ours[@]}" "$bin/faces_compare" --backend $device --against "$kept" "$SALLYPORT_PACK" "$faces"
  fi
  local python=/usr/bin/python3; [[ -x $python ]] || python=python3
  for test in publish faults; do
    step flow "$test" 200 "${ours[@]}" "$python" tests/flow/test_$test.py
  done
  [[ ! -d $faces ]] || last_words='FNIR|rank' step flow accuracy 240 "${ours[@]}" "$python" tests/bench/accuracy.py --json "$out/accuracy.json" "$faces"
}

# Kernels are measured once for all batches; the other steps' limits leave the peer 110 s at least.
part_bench() {
  local net measured=("${ours[@]}" "$bin/engine_bench" --backend cuda --cache "$build/choices")
  [[ -z $nothing ]] || { row bench all SKIP "$nothing"; return; }
  mkdir -p "$build/choices"
  step bench floor 30 "$bin/gpu_floor"
  for net in ssd_mobilenetv1:512x512 tiny_face_detector:416x416 face_landmark_68:112x112 face_recognition:150x150; do
    last_words='batch' step bench "${net%%:*}" 30 "${measured[@]}" --matches none --batches 1,8,64,256 --size "${net#*:}" \
      "$SALLYPORT_PACK/${net%%:*}.onnx"
  done
  last_words='batch' step bench yunet640 30 "${measured[@]}" --matches none --batches 1,8,32 --size 640x640 "$SALLYPORT_TEST_DATA"/models/yunet_n_640_640.onnx
  last_words='batch' step bench mobilefacenet 30 "${measured[@]}" --matches none --batches 1,8,64,256 "$SALLYPORT_TEST_DATA"/models/mobilefacenet.onnx
  [[ -s $build/iresnet50.onnx ]] || "$bin/iresnet_maker" "$build/iresnet50.onnx"
  last_words='batch' step bench iresnet50 70 "${measured[@]}" --matches none --batches 1,8,64,256 "$build/iresnet50.onnx"
  last_words='match' step bench matches 45 "${ours[@]}" "$bin/engine_bench" --backend cuda --matches large
  local copy product
  copy=$(awk '$2 == "copy_read_and_write" {print $3}' "$out/bench-floor.log"); product=$(awk '$2 == "product_f16_8192" {print $3}' "$out/bench-floor.log")
  last_words='probes' step bench match_bench 45 "${ours[@]}" "$bin/match_bench" --backend cuda ${copy:+--bandwidth "$copy"} ${product:+--rate "$product"}
  last_words='frames/s' step bench pipeline720p 60 "${ours[@]}" "$bin/vision_bench" --backend cuda "$SALLYPORT_PACK" "$(folder_of_faces)"
  last_words='peer' step bench peer 200 python3 tests/bench/gpu_peer.py
}

nothing=
for part in "${parts[@]}"; do
  deadline=$((SECONDS + seconds))
  [[ $part == build ]] || nothing=$(without_device)
  "part_$part"
done

# The table, and under it every figure that was measured in this run.
{
  printf '%-9s %-34s %-4s %s\n' part check result text
  failed=0 skipped=0
  for line in "${rows[@]}"; do
    IFS='|' read -r part name result text <<<"$line"
    printf '%-9s %-34s %-4s %s\n' "$part" "$name" "$result" "$text"
    [[ $result == FAIL ]] && failed=$((failed + 1)); [[ $result == SKIP ]] && skipped=$((skipped + 1))
  done
  grep -hE '^(device|floor|peer) |items/s|probes/s|frames/s' "$out"/bench-*.log 2>/dev/null
  printf '%d checks: %d failed, %d skipped; commit %s; logs in %s\n' "${#rows[@]}" "$failed" "$skipped" \
    "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" "$out"
  [[ $failed == 0 && ( -z $strict || $skipped == 0 ) ]] && code=0 || code=1
} >"$table"
cat "$table"
exit "$code"
