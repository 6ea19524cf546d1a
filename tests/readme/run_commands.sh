#!/usr/bin/env bash
# run_commands.sh SOURCE BIN: runs each line of the README's ```sh blocks that begins with `flashbias `, in a fresh
# directory with an empty cache. `flashbias run` needs a GPU and is left to the GPU tests.
set -euo pipefail
source_directory="$1"
export PATH="$2:$PATH"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$source_directory/examples" examples
export FLASHBIAS_CACHE_DIR="$work/cache"

commands="$(awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside && /^flashbias / && !/^flashbias run/' \
  "$source_directory/README.md")"
[ -n "$commands" ] || {
  echo "no commands found in $source_directory/README.md" >&2
  exit 1
}
while IFS= read -r command; do
  printf '$ %s\n' "$command"
  bash -c "$command" </dev/null
done <<<"$commands"
