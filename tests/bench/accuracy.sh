#!/usr/bin/env bash
# Accuracy of a model pack over a directory of real faces, through the real programs: portraits are published, probes are
# sent by sallyport-capture, decisions come back from the workers.
#   tests/bench/accuracy.sh [--pack PACK] [--json FILE] [--workers N] DIR
# DIR holds ID_N.jpg (person ID, photo N). Of the people with two photos or more, in name order, the 1st, 3rd, 5th ... are
# enrolled with _1 and probed with the rest; everyone else is a stranger. Example:
#   tests/bench/accuracy.sh --json build/accuracy.json ../shared/data/faces
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/setup.sh
setup_machine tests
setup_build release programs
export SALLYPORT_BIN=$top/build/release/bin SALLYPORT_SOURCE=$top SALLYPORT_PACK
SALLYPORT_PACK=$(setup_pack "$SALLYPORT_BIN")
exec /usr/bin/python3 tests/bench/accuracy.py "$@"
