#!/usr/bin/env bash
# The whole of Sallyport on one machine, on real faces: installs what it needs, builds, publishes a sample flight (CSV)
# and a sample vessel (PAXLST), and matches the people of the model package's six sample photos at two lanes.
#   deploy/demo.sh [--keep] [--workers N] [--backend cpu|cuda] [--set KEY=VALUE]... [--budget MS]
#                  [--bin BIN --pack PACK --photos DIR]
# --keep leaves everything running and says what to type next. --backend, --set: of the workers; with a backend it is also
# checked that each took it. --bin, --pack, --photos: what was built elsewhere; nothing is installed or built then. --budget:
# of a frame (10000). Exit 0: nobody was matched to another person's row, every frame was answered, and enough of the enrolled
# people were recognised (plain frames >= 90 %, altered ones >= 75 %).
set -euo pipefail
source "$(dirname "$0")/setup.sh"

keep= workers=2 bin= pack= photos= backend= budget=10000 settings=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --keep) keep=yes; shift ;;
    --workers) workers=${2:?--workers needs a number}; shift 2 ;;
    --backend) backend=${2:?--backend needs a name}; settings+=(--set "engine.backend=$2"); shift 2 ;;
    --set) settings+=(--set "${2:?--set needs KEY=VALUE}"); shift 2 ;;
    --budget) budget=${2:?--budget needs milliseconds}; shift 2 ;;
    --bin) bin=${2:?--bin needs a folder}; shift 2 ;;
    --pack) pack=${2:?--pack needs a folder}; shift 2 ;;
    --photos) photos=${2:?--photos needs a folder}; shift 2 ;;
    -h|--help) sed -n '2,9p' "$0" | cut -c3-; exit 0 ;;
    *) sed -n '2,9p' "$0" | cut -c3- >&2; exit 2 ;;
  esac
done

if [[ -n $bin ]]; then
  [[ -n $pack && -n $photos ]] || fail "--bin needs --pack and --photos"
else
  setup_machine
  setup_build release programs
  bin=$top/build/release/bin
  pack=$(setup_pack "$bin")
  photos=$top/build/pack/package/demo
fi
dir=$(mktemp -d "${SALLYPORT_STACKS:-/tmp}/sallyport-demo.XXXXXX"); chmod 755 "$dir"
stack() { "$top/deploy/stack.sh" "$@" --dir "$dir/port"; }
leave() {
  [[ -n $keep ]] && return
  stack down >/dev/null 2>&1 || :
  rm -rf "$dir"
}
trap leave EXIT

say "finding the faces of the six sample photos"
"$bin/sallyport-demo-frames" --pack "$pack" --photos "$photos" --output "$dir" >&2
say "starting two Redis roles, a broker and $workers workers"
stack up --bin "$bin" --pack "$pack" --workers "$workers" "${settings[@]}" >"$dir/stack.txt" || fail "the stack did not start"
cat "$dir/stack.txt" >&2
if [[ -n $backend ]]; then
  for ((n = 1; n <= workers; n++)); do
    grep -q "WRK-READY.*backend=\"$backend[ \"]" "$dir/port/log/worker-$n.log" || fail "worker $n does not run on $backend: $(grep WRK-READY "$dir/port/log/worker-$n.log")"
  done
fi

export SALLYPORT_CONFIG=$dir/port/etc/ops.yaml
sallyport() { "$bin/sallyport" "$@"; }
flight=air-zx-417-20261204-jfk vessel=sea-excr-v0881-20261203-usmia
for list in flight.csv vessel.edi; do # a desk's own table, and PAXLST as an agent sends it
  say "publishing $list"
  sallyport manifest publish "$dir/$list" --portraits "$dir/portraits" >&2
done
# These people are one narrow group (the closest two differ by 0.551, strangers elsewhere by 0.87), so the lanes ask for a
# stricter rate of false positives than a mixed port needs.
# The same people come again and again, altered: so nobody has boarded already.
sallyport lane set A1 --kind single --mode air --terminal T1 --fpir 0.0005 --once no --reveal-scores >&2
sallyport lane set G1 --kind single --mode sea --terminal T1 --fpir 0.0005 --reveal-scores >&2
sallyport lane assign A1 "$flight" --direction exit >&2
sallyport lane assign G1 "$vessel" --direction exit >&2

# pseudonym <tab> traveller_ref: what the table needs to say who was meant
for manifest in "$flight" "$vessel"; do
  sallyport manifest show "$manifest" --json
done | tr '{' '\n' | sed -n 's/.*"pseudonym": *"\([0-9a-f]*\)".*"traveller_ref": *"\([^"]*\)".*/\1\t\2/p; s/.*"traveller_ref": *"\([^"]*\)".*"pseudonym": *"\([0-9a-f]*\)".*/\2\t\1/p' >"$dir/people.tsv"
[[ -s $dir/people.tsv ]] || fail "the published manifests name nobody"

crossing() { # LANE NODE: every frame of the lane, each an encounter of its own, from this capture node
  "$bin/sallyport-capture" --config "$dir/port/etc/$2.yaml" --lane "$1" --budget "$budget" --json "$dir/frames/$1"
}
interactive=() # mawk, Debian's awk, reads by blocks unless told otherwise
! awk -W version 2>&1 </dev/null | grep -q mawk || interactive=(-W interactive)
say "travellers cross at lanes A1 (flight) and G1 (vessel)"
{ date +%s.%N >"$dir/clock"
  crossing A1 capture & crossing G1 capture-2 & wait
  date +%s.%N >>"$dir/clock"; } 2>"$dir/capture.log" |
  awk "${interactive[@]}" -v truth="$dir/truth.csv" -v people="$dir/people.tsv" -v clock="$dir/clock" -v min_matched=20 \
    -f "$top/deploy/demo/table.awk" && code=0 || code=1
[[ $code == 0 ]] || { tail -5 "$dir/capture.log" >&2; say "the demo did not show what it must"; }
if [[ -n $keep ]]; then
  cat >&2 <<EOF
The stack is still up. Try:
  export SALLYPORT_CONFIG=$dir/port/etc/ops.yaml
  $bin/sallyport manifest show $flight
  $bin/sallyport-capture --config $dir/port/etc/capture.yaml --lane A1 $(ls "$dir"/frames/A1/*-turned.jpg | head -1)
  $bin/sallyport --config $dir/port/etc/recorder.yaml records tail
  $top/deploy/stack.sh down --dir $dir/port && rm -rf $dir
EOF
fi
exit $code
