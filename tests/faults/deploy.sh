#!/usr/bin/env bash
# deploy.sh SOURCE COMMAND EXAMPLE LIBRARY WORKER: makes packs with NVRTC, and serves from them where there is none.
# The driver is a fake one (FLASHBIAS_LIBCUDA), whose current device is an sm_90a.
set -euo pipefail
source_directory="$1" command="$2" example="$3" library="$4" worker="$5"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export FLASHBIAS_CACHE_DIR="$work/cache"

fail() {
  echo "deploy.sh: $1" >&2
  exit 1
}

"$command" precompile --manifest "$source_directory/examples/deployment.toml" --arch sm_90a \
  --pack "$work/kernels.fbpack" >/dev/null
# Two runs, each from nothing, give the same bytes.
"$command" precompile --manifest "$source_directory/examples/deployment.toml" --arch sm_90a \
  --cache "$work/other cache" --pack "$work/again.fbpack" -j 1 >/dev/null
cmp "$work/kernels.fbpack" "$work/again.fbpack"

# Nothing of the compiler is linked.
for file in "$example" "$library"; do
  ! ldd "$file" | grep -E 'nvrtc|nvJitLink|LLVM|clang' || fail "$file links the compiler"
done

export FLASHBIAS_NVRTC=/nonexistent/libnvrtc.so FLASHBIAS_CACHE_DIR="$work/none"
"$example" "$work/kernels.fbpack" --load-only | tee "$work/output"
grep -q '^2 kernels from ' "$work/output" || fail 'the example did not load two kernels'
[ ! -e "$work/none" ] || fail 'a cache directory was made'

# What is not in the pack is refused with the command that adds it, and the command does.
unset FLASHBIAS_NVRTC
export FLASHBIAS_CACHE_DIR="$work/cache"
"$command" precompile --config 'head_dim=16 bias="alibi()" arch=sm_90a' --pack "$work/one.fbpack" >/dev/null
chmod u+w "$work/one.fbpack" # as a copy may be
advice="$(FLASHBIAS_NVRTC=/nonexistent/libnvrtc.so "$worker" deploy "$work/one.fbpack")"
add="$(grep -o 'flashbias precompile .*--add' <<<"$advice")"
(
  export PATH="$(dirname "$command"):$PATH"
  bash -c "$add" >/dev/null
)
"$command" pack list "$work/one.fbpack" | grep -q 'head_dim=24' || fail "the advice did not add the kernel: $add"
"$command" pack verify "$work/one.fbpack" >/dev/null
