#!/usr/bin/env bash
# bench/cache.sh [BUILD]: the figures of the cache on this machine, without a GPU. BUILD is a Release build with its tests.
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:-build}"
export FLASHBIAS_LIBCUDA="$PWD/$build/tests/driver/libfake_cuda.so"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
flashbias="$build/bin/flashbias"

printf 'bench/cache.sh, %s, commit %s\n' "$(date -u +%F)" "$(git rev-parse --short HEAD)"
printf '%s, %s cores; load %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
  "$(cut -d' ' -f1 /proc/loadavg)"

"$build/bin/flashbias_cache_bench" "$work"

printf '\n'
"$build/bin/flashbias_precompile_bench" examples/models.json "$work"

# The model zoo for all architectures, each time from nothing.
precompile() {
  rm -rf "$work/zoo"
  "$flashbias" precompile --manifest examples/models.json --arch sm_80,sm_86,sm_89,sm_90a,sm_100,sm_120 \
    --cache "$work/zoo" "$@" 2>/dev/null
}
precompile --pack "$work/zoo.fbpack" >/dev/null
precompile --pack "$work/again.fbpack" >/dev/null
cmp "$work/zoo.fbpack" "$work/again.fbpack" && printf 'two packs, each from nothing, are the same bytes\n'
"$flashbias" pack list --json "$work/zoo.fbpack" | python3 -c '
import json
import sys

pack = json.load(sys.stdin)
kernels = pack["kernels"]
cubins = sum(kernel["manifest"]["cubin_bytes"] for kernel in kernels)
count, size = len(kernels), pack["bytes"]
print(f"pack of {count} kernels: {size} bytes, {size / count / 1024:.1f} KiB a kernel; cubins {cubins / count / 1024:.1f} KiB each")'

printf '\n16 processes of 64 threads ask for one new kernel: '
for _ in $(seq 16); do
  "$build/bin/flashbias_fault_worker" race "$work/race" 64 &
done >"$work/compiles"
wait
awk '{ sum += $1 } END { printf "%d answers, %d compiles\n", NR, sum }' "$work/compiles"
