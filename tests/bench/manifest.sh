#!/usr/bin/env bash
# A cruise manifest with portraits, published end to end through the real programs, beside the same enrolment pipeline alone
# in one process, in turns. Travellers are samples; their portraits are altered copies of the faces in DIR.
#   tests/bench/manifest.sh [--travellers N] [--workers N] [--rounds N] [--json FILE] DIR
# Defaults: 5000 travellers, as many workers (and threads alone) as cores, 1 round. Example, quick:
#   tests/bench/manifest.sh --travellers 300 --rounds 3 ../shared/data/faces
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/setup.sh
setup_machine tests
setup_build release
export SALLYPORT_BIN=$top/build/release/bin SALLYPORT_SOURCE=$top SALLYPORT_PACK
SALLYPORT_PACK=$(setup_pack "$SALLYPORT_BIN")
exec /usr/bin/python3 tests/bench/manifest.py "$@"
