#!/usr/bin/env bash
# Sets this machine up, builds flashbias, then generates, compiles and caches the kernels of the model zoo and prints
# a table of them. With a GPU each is also run, checked and timed. Arguments go to `flashbias demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh build

[ -f build/build.ninja ] || cmake --preset release
cmake --build --preset release --target flashbias_command
exec build/bin/flashbias demo --manifest examples/models.json "$@"
