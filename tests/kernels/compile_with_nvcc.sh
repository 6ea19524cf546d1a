#!/usr/bin/env bash
# compile_with_nvcc.sh FLASHBIAS NVCC: compiles emitted sources as a reader would, without a file or path besides.
set -euo pipefail
flashbias="$1"
nvcc="$2"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

compile() {
  printf '$ flashbias emit %s\n' "$*"
  "$flashbias" emit --arch sm_90a "$@" -o kernel.cu
  "$nvcc" -cubin -std=c++20 -arch=sm_90a -prec-div=false -prec-sqrt=false -o kernel.cubin kernel.cu
}

for layout in '' --no-format; do
  compile $layout
  compile $layout --dtype bf16 --head-dim 128 --causal --lse --bias alibi
  compile $layout --head-dim 32 --bias 'window_relative_position(24, 24) + low_rank(21)' --key-padding-mask
done
