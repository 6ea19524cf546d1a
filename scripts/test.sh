#!/usr/bin/env bash
# Sets this machine up, builds everything and runs all tests; those that need a GPU say so where there is none.
# Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh build

[ -f build/build.ninja ] || cmake --preset release
cmake --build --preset release
exec ctest --preset release "$@"
