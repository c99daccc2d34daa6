#!/usr/bin/env bash
# Fuzzes every parser for SECONDS each, starting from its corpus; new findings are printed and kept beside the build.
# usage: tests/fuzz/run.sh SECONDS [NAME...]      e.g. tests/fuzz/run.sh 60 wire image
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ ${1:-} =~ ^[0-9]+$ ]] || { sed -n '2,3p' "$0"; exit 2; }
seconds=$1; shift
source deploy/setup.sh
setup_machine tests
setup_build fuzz
names=("$@")
[[ ${#names[@]} -gt 0 ]] || names=($(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//'))
findings=0
for name in "${names[@]}"; do
  work=build/fuzz/corpus/$name
  mkdir -p "$work"
  printf '%-12s ' "$name"
  if (cd build/fuzz && "bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=262144 \
       -artifact_prefix="corpus/$name-" "corpus/$name" "$top/tests/fuzz/corpus/$name") >"build/fuzz/$name.log" 2>&1; then
    grep -oE 'Done [0-9]+ runs in [0-9]+ second' "build/fuzz/$name.log" | tail -1
  else
    echo "FINDING: see build/fuzz/$name.log"; findings=$((findings + 1))
  fi
done
[[ $findings == 0 ]] || { echo "$findings targets with findings"; exit 1; }
