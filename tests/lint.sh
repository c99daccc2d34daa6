#!/usr/bin/env bash
# House rules that a machine can check: include rules, banned calls, lengths, headers that compile alone, names.
# usage: tests/lint.sh      prints every breach as file:line: text and exits 1 if there is one
set -uo pipefail
cd "$(dirname "$0")/.."
found=$(mktemp); trap 'rm -f "$found"' EXIT
report() { # TITLE  (matches on stdin; runs in a pipeline's subshell, so it counts in a file)
  local lines; lines=$(cat)
  [[ -z $lines ]] && return
  printf '%s:\n%s\n' "$1" "$lines" | tee -a "$found"
}
sources() { git ls-files --cached --others --exclude-standard -- "$@"; }
all=$(sources '*.c' '*.h' '*.cu' '*.cuh')
code=$(grep -vE '^tests/' <<<"$all")

# only HEADER-PATTERN ALLOWED-FILES-PATTERN: a library is included where the design says and nowhere else
only() { grep -nE "#include <($1)" $code | grep -vE "^($2):" | report "<$1> belongs in $2"; }
only 'hiredis' 'common/store\.c'
only 'msgpack' 'common/wire\.c'
only 'sodium' 'common/(seal|key|curve[a-z_]*)\.c'
only 'yaml\.h' 'common/yaml\.c'
only 'microhttpd' 'common/health\.c'
only 'jansson' 'listing/listing_json\.c'
only 'libxml' 'listing/enoad\.c'
only 'jpeglib|jerror|turbojpeg' 'image/(image_jpeg|jpeg_write)\.c|deploy/demo/alter\.c'
only 'png\.h' 'image/image_png\.c'
only 'openjpeg' 'image/image_jp2\.c'
only 'oneapi' 'gpu/cpu[a-z_]*\.[ch]'
only 'protobuf-c' 'gpu/onnx[a-z_]*\.[ch]|ops/onnx_write\.[ch]'
only 'cuda|cublas' 'gpu/cuda[a-z_]*\.(c|h|cu|cuh)'
grep -nE '#include "workers/' $code | grep -vE '^workers/|^deploy/demo/' | report 'nothing includes workers/'
grep -nE '#include "(common/[a-z]+\.h|roster|records|broker|capture|ops)' $(grep -E '^gpu/' <<<"$code") |
  grep -vE '"common/(status|picture)\.h"' | report 'gpu/ includes of common only status.h and picture.h'
grep -nE '#include "[a-z]+/' $(grep -E '^image/' <<<"$code") | grep -vE '"(common|image)/' | report 'image/ includes only common/'
grep -nE '#include "[a-z]+/' $(grep -E '^document/' <<<"$code") | grep -vE '"(common|document|image)/' |
  report 'document/ includes only common/ and image/'
grep -nE '#include "image/' $code | grep -vE '^(image|document|workers|ops|deploy/demo)/' |
  report 'image/ is for document, workers, ops and tests'
grep -nE '#include "(broker|capture|workers|ops)/' $(grep -E '^(common|roster|records)/' <<<"$code") |
  report 'common, roster and records know no program'

grep -nwE '(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|rand|srand|alloca|system|popen|tmpnam|usleep)\s*\(' $code |
  grep -vE '//|^\S+:\s*\*' | report 'banned call'
grep -nE '\b(sleep|usleep|nanosleep)\(' $code | report 'no sleep as synchronisation'
grep -nE '[[:space:]]+$' $all | report 'trailing space'
grep -nP '\t' $all | report 'tab'
for file in $all; do
  lines=$(wc -l <"$file")
  [[ $lines -le 600 ]] || printf '%s:1: %d lines\n' "$file" "$lines"
done | report 'file over 600 lines'
for file in $code; do
  awk -v f="$file" '/^[{]$/ {start = FNR} /^[}]$/ && start {if (FNR - start > 80) printf "%s:%d: %d lines\n", f, start, FNR - start; start = 0}' "$file"
done | report 'function over 80 lines'

for header in $(grep '\.h$' <<<"$code"); do
  printf '#include "%s"\n' "$header" |
    cc -std=c17 -D_GNU_SOURCE -I. -fsyntax-only -Wall -Wextra -x c - 2>/dev/null || printf '%s:1: does not compile alone\n' "$header"
done | report 'header does not stand alone'

# Two types of one name in two .cu files make one symbol of two kernels, and one of them is started for both.
grep -onE '\bstruct (alignas\(16\) )?[a-z_0-9]+ *\{' $(grep -E '^gpu/.*\.(cuh|cu|h)$' <<<"$code") | sed -E 's/^([^:]*:[0-9]+:).*[ )]([a-z_0-9]+) *\{/\1 \2/' |
  awk '{if ($2 in first) printf "%s %s is also in %s\n", $1, $2, first[$2]; first[$2] = $1}' | report 'a type of the kernels is there twice'

# The nets' kernels are compiled for fp16 and again for bf16: what lies outside the element's namespace, or a launcher that
# is not SP_LAUNCHER's, would be one symbol for both.
for file in $(grep -lE '^#include "gpu/cuda_finish.cuh"' gpu/*.cuh) gpu/cuda_finish.cuh gpu/cuda_launch.cuh; do
  all_of_it=1; [[ $file == gpu/cuda_launch.cuh ]] && all_of_it=0
  awk -v f="$file" -v all="$all_of_it" '/^inline namespace SP_ELEMENT/ {inside = 1} /^} \/\/ namespace SP_ELEMENT/ {inside = 0}
    !inside && /sp_half|sp_round|sp_float/ && !/^(\/\*| \*)/ || !inside && all && /^(struct|template|constexpr|typedef|using|SP_BOTH|inline) / {
      printf "%s:%d: %s\n", f, FNR, $0}' "$file"
done | report 'outside the namespace of the element'
for file in $(grep -lE '^#include "gpu/cuda_[a-z]+\.cuh"' gpu/*.cu); do
  header=$(sed -nE 's/^#include "(gpu\/cuda_[a-z]+\.cuh)"/\1/p' "$file" | head -1)
  grep -q '"gpu/cuda_finish.cuh"' "$header" && grep -nH 'extern "C"' "$file" | grep -v 'SP_LAUNCHER('
done | report 'a launcher of one name for both elements'

# Pages name files that exist: `folder/file`, globs allowed; <...> and $... are placeholders.
for page in README.md docs/*.md; do
  grep -noE '`(common|capture|broker|workers|gpu|image|document|listing|roster|records|ops|deploy|tests|docs)/[A-Za-z0-9_./*-]+' "$page" | tr -d '`' |
    while IFS=: read -r line name; do
      compgen -G "${name%[.,]}" >/dev/null || echo "$page:$line: $name does not exist"
    done
done | report 'a page names a file that is not there'

[[ ! -s $found ]] && echo "lint: clean" || { echo "lint: $(grep -c '^[^ ]*:[0-9]*:' "$found") breaches"; exit 1; }
