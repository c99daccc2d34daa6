#!/usr/bin/env bash
# One run that builds and checks everything on a machine with a GPU: a compiler, CMake and the CUDA toolkit are enough, the
# rest is carried (gpu_carry.sh). Without a device every part that needs one prints SKIP and why.
#   tests/bench/gpu.sh [--part LIST]... [--tool memcheck|racecheck|initcheck]... [--carry DIR] [--archs LIST]
#                      [--seconds N] [--emulated] [--skips-as-fails]
# Parts, in this order whatever the list's (default all): build ops faces bench flow soak sanitize - what is worth most comes
# first. The whole run ends within --seconds (default 540); what it then had no time for failed. Two runs that share one
# build: --part build,ops,faces,bench and then --part flow,soak,sanitize. --emulated: a rehearsal without a
# device, everything small, on the emulated module (gpu_rehearsal.sh); half an hour, so --seconds 3600. Carried folder:
# $SALLYPORT_CARRY, or build/carry where there is one; without it this machine's packages are used. In $OUT (by
# default build/gpu-out): table.txt, which grows with every check, and all.log, the ends of all logs; full logs in
# build/gpu-logs. Exit 1 if anything failed (or was skipped, with --skips-as-fails).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
top=$PWD
all=(build ops faces bench flow soak sanitize)
usage() { sed -n '2,14p' "$0"; }
wanted=() tools=() carry=${SALLYPORT_CARRY:-} archs='' seconds=540 strict='' slower=1 small='' cuda_of_build=ON name_of_build=gpu
while [[ $# -gt 0 ]]; do
  case $1 in
    --part) IFS=, read -ra list <<<"${2:?}"; wanted+=("${list[@]}"); shift 2 ;;
    --tool) tools+=("${2:?}"); shift 2 ;;
    --carry) carry=${2:?}; shift 2 ;;
    --archs) archs=${2:?}; shift 2 ;;
    --seconds) seconds=${2:?}; shift 2 ;;
    --emulated) small=1 slower=6 cuda_of_build=OFF name_of_build=gpu-emulated; shift ;;
    --skips-as-fails) strict=1; shift ;;
    -h|--help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[[ ${#wanted[@]} -gt 0 ]] || wanted=("${all[@]}")
for part in "${wanted[@]}"; do
  [[ " ${all[*]} " == *" $part "* ]] || { echo "gpu.sh: no part '$part'" >&2; exit 2; }
done
[[ ${#tools[@]} -gt 0 ]] || tools=(memcheck racecheck initcheck)
for tool in "${tools[@]}"; do
  [[ $tool =~ ^(memcheck|racecheck|initcheck)$ ]] || { echo "gpu.sh: no tool '$tool'" >&2; exit 2; }
done
[[ $seconds =~ ^[0-9]+$ ]] || { echo "gpu.sh: --seconds $seconds is no number" >&2; exit 2; }
[[ $carry || ! -d build/carry ]] || carry=build/carry
[[ -z $carry ]] || { [[ -d $carry/sysroot ]] || { echo "gpu.sh: $carry is no folder of gpu_carry.sh" >&2; exit 2; }; carry=$(cd "$carry" && pwd); }
build=$top/build/$name_of_build bin=$top/build/$name_of_build/bin logs=$top/build/$name_of_build-logs
out=${OUT:-$top/build/$name_of_build-out}; mkdir -p "$out" "$logs"; out=$(cd "$out" && pwd)
jobs=$(nproc) table=$out/table.txt
deadline=$((SECONDS + seconds))
say() { printf 'gpu.sh: %s\n' "$*" >&2; }

# Our programs need the carried libraries; compilers and a python3 with torch must not see them. Root's flow checks
# start programs as another user, who may not reach this folder: then a copy in a place of its own.
ours=(env) sysroot=${carry:+$carry/sysroot} copied='' stacks=''
if [[ $carry ]]; then
  if [[ $(id -u) == 0 ]] && ! setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$sysroot/bin/redis-server" 2>/dev/null; then
    copied=$(mktemp -d /tmp/sallyport-carried.XXXXXX) && cp -a "$sysroot" "$copied/" && chmod -R a+rX "$copied" && sysroot=$copied/sysroot
  fi
  export PATH=$sysroot/bin:$PATH
  ours=(env LD_LIBRARY_PATH="$sysroot/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
  export PKG_CONFIG=$carry/sysroot/bin/pkgconf PKG_CONFIG_LIBDIR=$carry/sysroot/pkgconfig PKG_CONFIG_PATH=''
  export SALLYPORT_TEST_DATA=$carry/data
else
  export SALLYPORT_TEST_DATA=${SALLYPORT_TEST_DATA:-$(cd .. && pwd)/shared/data}
fi
export PATH=$PATH:/usr/local/cuda/bin
export SALLYPORT_PACK=$build/pack/face-api SALLYPORT_PHOTOS=$build/pack/package/demo SALLYPORT_BIN=$bin SALLYPORT_SOURCE=$top PYTHONDONTWRITEBYTECODE=1
if [[ $small ]]; then
  export SALLYPORT_QUICK=1 SALLYPORT_SETTINGS="pipeline.max_batch=1 pipeline.stuck_ms=120000" SALLYPORT_BUDGET=120000
  export PATH=$build/stand-ins:$PATH
fi

# The table, a row a check, written as it grows: a run that is killed leaves what it had. row PART NAME RESULT TEXT
count=0 failed=0 skipped=0
row() {
  printf '%-9s %-34s %-4s %s\n' "$@" | tee -a "$table" >&2
  count=$((count + 1))
  [[ $3 != FAIL ]] || failed=$((failed + 1))
  [[ $3 != SKIP ]] || skipped=$((skipped + 1))
}

# step PART NAME SECONDS COMMAND...: run, log to PART-NAME.log, one row. Exit 77 is a skip; its text is the SKIP line.
# $last_words: what the row shows of the log; where the log has no such line, the check did not do what it is for.
step() {
  local part=$1 name=$2 most=$(($3 * slower)) log=$logs/$1-$2.log left start=$SECONDS code=0 text words; shift 3
  left=$((deadline - SECONDS)); [[ $most -gt $left ]] && most=$left
  if [[ $most -lt 5 ]]; then row "$part" "$name" FAIL "no time left"; return 1; fi
  { timeout -k 20 "$most" "$@" </dev/null || code=$?; } >"$log" 2>&1
  { printf '\n==== %s %s: exit %s after %s s\n' "$part" "$name" "$code" $((SECONDS - start)); tail -c 60000 "$log"; } >>"$out/all.log"
  text=$(grep -m1 -ahE 'SKIP:' "$log" | cut -c1-150)
  words=$([[ -z $last_words ]] || grep -ahE "$last_words" "$log" | tail -1 | cut -c1-200)
  if [[ $code == 0 && $last_words && -z $words ]]; then code=1; echo "FAIL: exit 0 without a line of '$last_words'" >>"$log"; fi
  case $code in
    0) row "$part" "$name" ok "$((SECONDS - start)) s${words:+; $words}" ;;
    77) row "$part" "$name" SKIP "${text:-exit 77}" ;;
    124|137) row "$part" "$name" FAIL "not within $most s${words:+; until then: $words}" ;;
    *)
      text=$(grep -m1 -ahE 'rror[ :]|ERROR|FAIL|DIFFERS|OUTSIDE' "$log" || tail -1 "$log")
      row "$part" "$name" FAIL "exit $code: ${text:0:200}${words:+; $words}" ;;
  esac
  return $code
}
last_words=''

# Whether there is a device: 0 yes, 77 no, anything else is a failure; prints why not.
look_for_device() {
  local text code=0
  if [[ ! -x $bin/gpu_floor ]]; then echo "not built: run --part build first"; return 1; fi
  text=$(timeout 60 "$bin/gpu_floor" --look 2>&1) || code=$?
  [[ $code == 0 ]] || printf '%s\n' "${text#SKIP: }" | head -1
  return $code
}

part_build() {
  local cuda=80 generator=() words
  words=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1)
  if [[ $words =~ ^[0-9]+\.[0-9]+$ ]]; then cuda=${words/./}; else cuda=90; say "nvidia-smi names no device: building for sm_90"; fi
  [[ $archs ]] && cuda=$archs
  command -v ninja >/dev/null && generator=(-G Ninja)
  step build configure 120 cmake -S "$top" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DSALLYPORT_ONEDNN=OFF \
    -DSALLYPORT_WERROR=OFF "-DSALLYPORT_CUDA=$cuda_of_build" "-DSALLYPORT_CUDA_ARCHS=$cuda" \
    ${carry:+-DCMAKE_PREFIX_PATH="$carry/sysroot" -DCMAKE_EXE_LINKER_FLAGS="-Wl,-rpath-link,$carry/sysroot/lib"} || return
  step build compile 420 cmake --build "$build" -j "$jobs" --target gpu_checks || return
  step build pack 120 "${ours[@]}" "$bin/sallyport" model import face-api --output "$SALLYPORT_PACK" --keep-package "$build/pack/package" \
    ${carry:+--package "$carry/data/vladmandic-face-api-1.7.15.tgz"} || return
  [[ -z $small ]] || step build stand-ins 300 tests/bench/gpu_rehearsal.sh "$build" "$jobs"
}

# Faces: the carried ones, else the package's photos; a folder of four of them (two people) for what is slow.
folder_of_faces() { if [[ -d $SALLYPORT_TEST_DATA/faces ]]; then echo "$SALLYPORT_TEST_DATA/faces"; else echo "$SALLYPORT_PHOTOS"; fi; }
few_faces() {
  mkdir -p "$build/few"
  find "$(folder_of_faces)" -maxdepth 1 -name '*.jpg' | sort | head -4 | xargs -I{} cp {} "$build/few/"
  echo "$build/few"
}

# Every op and kernel. A test that is skipped though there is a device has failed.
part_ops() {
  local what
  for what in "test_ops cuda" test_cuda_conv test_cuda_separable test_cuda_match test_cuda_pixels test_cuda_pictures test_cuda_failure "test_models cuda" \
    "test_ops cuda bf16" "test_models cuda bf16"; do
    # A program and its arguments.
    # shellcheck disable=SC2086
    last_words=PASSED step ops "${what// /-}" 150 "${ours[@]}" "$bin"/$what --skips-as-fails
  done
}

# The acceptance figures: every template of every carried face against the CPU's f32.
part_faces() {
  local faces kept=${carry:+$carry/data/faces.f32} more=()
  faces=$(folder_of_faces)
  if [[ $small ]]; then faces=$(few_faces) more=(--batch 1); fi
  if [[ -n $small || -z $kept || ! -f $kept ]]; then
    kept=$logs/faces.f32
    step faces f32 300 "${ours[@]}" "$bin/faces_compare" --backend cpu --write "$kept" "$SALLYPORT_PACK" "$faces" || return
  fi
  last_words='^faces_compare: .*pictures' step faces compare 240 "${ours[@]}" "$bin/faces_compare" --backend cuda "${more[@]}" --against "$kept" "$SALLYPORT_PACK" "$faces"
}

# Kernels are measured once for all batches, and kept.
part_bench() {
  local net name copy product batches=1,8,64,256 more=() match=() vision=() faces
  local measured=("${ours[@]}" "$bin/engine_bench" --backend cuda --cache "$build/choices" --matches none)
  faces=$(folder_of_faces)
  if [[ $small ]]; then
    batches=1 more=(--rounds 1) match=(--rows 2000 --dim 64 --rounds 1) vision=(--rounds 1 --batch 1) faces=$(few_faces)
  fi
  mkdir -p "$build/choices"
  last_words='^floor launch' step bench floor 30 "$bin/gpu_floor"
  copy=$(awk '$2 == "copy_read_and_write" {print $3}' "$logs/bench-floor.log"); product=$(awk '$2 == "product_f16_8192" {print $3}' "$logs/bench-floor.log")
  last_words='frames/s' step bench pipeline720p 60 "${ours[@]}" "$bin/vision_bench" --backend cuda "${vision[@]}" "$SALLYPORT_PACK" "$faces"
  last_words='queries/s' step bench match_bench 60 "${ours[@]}" "$bin/match_bench" --backend cuda "${match[@]}" ${copy:+--bandwidth "$copy"} ${product:+--rate "$product"}
  [[ -s $build/iresnet50.onnx ]] || "${ours[@]}" "$bin/iresnet_maker" "$build/iresnet50.onnx"
  last_words='items/s' step bench iresnet50 70 "${measured[@]}" "${more[@]}" --batches $batches "$build/iresnet50.onnx"
  # Hopper's own products, which nothing else here turns on; elsewhere the same again.
  last_words='items/s' step bench iresnet50-wgmma 70 "${measured[@]}" --wgmma on "${more[@]}" --batches $batches "$build/iresnet50.onnx"
  for net in face_recognition:150x150 ssd_mobilenetv1:512x512 tiny_face_detector:416x416 face_landmark_68:112x112; do
    name=${net%%:*}
    last_words='items/s' step bench "$name" 40 "${measured[@]}" "${more[@]}" --batches $batches --size "${net#*:}" "$SALLYPORT_PACK/$name.onnx"
  done
  for net in mobilefacenet:112x112 yunet_n_640_640:640x640; do
    name=${net%%:*}
    if [[ -f $SALLYPORT_TEST_DATA/models/$name.onnx ]]; then
      last_words='items/s' step bench "$name" 40 "${measured[@]}" "${more[@]}" --batches "${batches%,256}" --size "${net#*:}" "$SALLYPORT_TEST_DATA/models/$name.onnx"
    else row bench "$name" SKIP "no $SALLYPORT_TEST_DATA/models/$name.onnx"; fi
  done
  last_words='^peer .*items/s' step bench peer 150 python3 tests/bench/gpu_peer.py
}

# Whatever is left of a stack that was cut short would sit on the device while others measure.
take_down() {
  local folder
  [[ $stacks ]] || return
  for folder in "$stacks"/sp-flow-* "$stacks"/sallyport-demo.*/port; do
    [[ ! -d $folder/run ]] || "${ours[@]}" deploy/stack.sh down --dir "$folder" >>"$logs/flow-down.log" 2>&1
  done
  rm -rf "${stacks:?}"/*
}

# stack NAME SECONDS COMMAND...: a step that starts a stack.
stack() {
  step flow "$@"
  take_down
}

# Real processes, every worker told to use the device and found to do it ($SALLYPORT_BACKEND). The demo needs no Python.
part_flow() {
  local python faces=$SALLYPORT_TEST_DATA/faces
  stacks=$(mktemp -d /tmp/sp.XXXXXX); chmod 755 "$stacks"
  export SALLYPORT_BACKEND=cuda SALLYPORT_STACKS=$stacks
  last_words='^demo:' stack demo 120 "${ours[@]}" deploy/demo.sh --bin "$bin" --pack "$SALLYPORT_PACK" --photos "$SALLYPORT_PHOTOS" --backend cuda \
    ${small:+--set pipeline.max_batch=1 --budget 120000}
  for python in python3 /usr/bin/python3; do # the first that has what the passports' test needs
    "${ours[@]}" "$python" -c 'import cv2' 2>/dev/null && break
  done
  last_words='^ok ' stack publish 180 "${ours[@]}" "$python" tests/flow/test_publish.py
  if [[ -d $faces ]]; then
    [[ -z $small ]] || faces=$(few_faces)
    last_words='FNIR|rank' stack accuracy 240 "${ours[@]}" "$python" tests/bench/accuracy.py --json "$out/accuracy.json" "$faces"
  fi
  # Decisions have to be acted on within seconds, which an emulated worker that enrols meanwhile may need for a frame.
  if [[ $small ]]; then row flow faults SKIP "its deadlines are a device's"
  else last_words='^ok ' stack faults 240 "${ours[@]}" "$python" tests/flow/test_faults.py; fi
}

# Memory over two minutes of full load.
part_soak() {
  local seconds_of_load=120 more=() faces
  faces=$(folder_of_faces)
  if [[ $small ]]; then seconds_of_load=10 more=(--batch 1) faces=$(few_faces); fi
  last_words='^memory' step soak memory $((seconds_of_load * 11 / 10 + 60)) "${ours[@]}" "$bin/vision_bench" --backend cuda "${more[@]}" --flat $seconds_of_load "$SALLYPORT_PACK" "$faces"
}

# Every program that works on the device; the pictures' whole way on four faces. What is left of the time is shared: the
# tools alike, the programs of a tool by what they need; what one does not use is the next ones'.
part_sanitize() {
  local tool what program share few sum left=${#tools[@]}
  command -v compute-sanitizer >/dev/null || { row sanitize all SKIP "no compute-sanitizer in PATH"; return; }
  few=$(few_faces)
  for tool in "${tools[@]}"; do
    sum=100
    for what in "28 test_ops cuda" "12 test_cuda_conv" "5 test_cuda_separable" "17 test_cuda_match" "10 test_cuda_pixels" "8 test_cuda_pictures" "20 faces_compare --backend cuda --batch 2 $SALLYPORT_PACK $few"; do
      share=${what%% *}; what=${what#* }; program=${what%% *}
      # A program and its arguments; our folders hold no spaces.
      # shellcheck disable=SC2086
      last_words='ERROR SUMMARY|RACECHECK SUMMARY' step sanitize "$tool-$program" $(((deadline - SECONDS) * share / sum / left)) env SALLYPORT_QUICK=1 \
        ${carry:+LD_LIBRARY_PATH="$sysroot/lib"} compute-sanitizer --tool "$tool" --error-exitcode 9 "$bin"/$what
      sum=$((sum - share)); [[ $sum -gt 0 ]] || sum=100
    done
    left=$((left - 1))
  done
}

# The last line, and above it every figure that the logs hold (those of a part are cleared when it runs).
summary() {
  trap - EXIT TERM INT
  take_down
  rm -rf "${copied:-/nonexistent}" "${stacks:-/nonexistent}"
  {
    grep -ahE '^(device|floor|peer|faces_compare:) |items/s|queries/s|frames/s|^memory' "$logs"/{bench,faces,soak}-*.log 2>/dev/null | cut -c1-220
    printf '%d checks: %d failed, %d skipped; %s s; commit %s; logs in %s\n' "$count" "$failed" "$skipped" "$SECONDS" \
      "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" "$logs"
  } >>"$table"
  cat "$table"
}
trap summary EXIT
trap 'say "ended from outside"; failed=$((failed + 1)); exit 1' TERM INT

: >"$out/all.log"
printf '%-9s %-34s %-4s %s\n' part check result text >"$table"
for part in "${all[@]}"; do
  [[ " ${wanted[*]} " == *" $part "* ]] || continue
  rm -f "$logs/$part"-*.log
  if [[ $part == build ]]; then part_build; continue; fi
  why=$(look_for_device)
  case $? in
    0) "part_$part" ;;
    77) row "$part" all SKIP "$why" ;;
    *) row "$part" all FAIL "$why" ;;
  esac
done
[[ $failed == 0 && ( -z $strict || $skipped == 0 ) ]]
