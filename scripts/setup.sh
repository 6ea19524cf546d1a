#!/usr/bin/env bash
# Installs what building flashbias needs and this machine lacks; does nothing where all is there.
#   scripts/setup.sh [build|checks]    checks: also clang-format, clang-tidy and matplotlib, which .ci/run uses
# Sourced by the other scripts, so that they see where NVRTC is when it had to come from pip.
set -euo pipefail
flashbias_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Headers that the build includes, and the packages they come with.
libraries=(
  fmt/core.h:libfmt-dev
  CLI/CLI.hpp:libcli11-dev
  nlohmann/json.hpp:nlohmann-json3-dev
  doctest/doctest.h:doctest-dev
  openssl/evp.h:libssl-dev
  dlpack/dlpack.h:libdlpack-dev
  gmpxx.h:libgmp-dev
  zip.h:libzip-dev
  eigen3/Eigen/SVD:libeigen3-dev
  zstd.h:libzstd-dev
  toml++/toml.h:libtomlplusplus-dev
)

has_command() { command -v "$1" >/dev/null; }
can_draw() { python3 -c 'import matplotlib' 2>/dev/null || /usr/bin/python3 -c 'import matplotlib' 2>/dev/null; }
has_formatter() { compgen -G '/usr/lib/llvm-*/lib/libclangFormat.a' >/dev/null; }

# One run of the preprocessor: this is on the way of every demo.
missing_libraries() {
  if ! has_command c++; then
    printf '%s\n' "${libraries[@]#*:}"
    return
  fi
  printf '#if !__has_include(<%s>)\n%s\n#endif\n' $(printf '%s\n' "${libraries[@]}" | tr ':' ' ') | c++ -E -P -x c++ -
}

apt_install() {
  local as_root=()
  if ! has_command apt-get; then
    echo "setup: missing, and there is no apt-get to install it with: $* (names of Debian packages)" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! has_command sudo; then
      echo "setup: missing: $*. Neither root nor sudo here: have an administrator run 'apt-get install $*'" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "setup: installing $*" >&2
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_missing_packages() {
  local packages=()
  has_command cmake || packages+=(cmake)
  has_command ninja || packages+=(ninja-build)
  has_command c++ || packages+=(g++)
  mapfile -t -O ${#packages[@]} packages < <(missing_libraries)
  if [ "${1:-build}" = checks ]; then
    has_command clang-format || packages+=(clang-format)
    has_command clang-tidy || packages+=(clang-tidy)
    can_draw || packages+=(python3-matplotlib)
  fi
  [ ${#packages[@]} = 0 ] || apt_install "${packages[@]}"

  # The build goes on without LLVM: only the layout of shown sources is lost.
  has_formatter || apt_install libclang-dev llvm-dev ||
    echo "setup: without LLVM's libraries generated sources are shown unformatted" >&2
}

# Whether the library finds an NVRTC by itself: runtime/library_search.cpp looks in these places.
finds_nvrtc() {
  local directory name python prefix directories=()
  [ -z "${FLASHBIAS_NVRTC:-}" ] || return 0
  IFS=: read -r -a directories <<<"${LD_LIBRARY_PATH:-}"
  for prefix in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda; do
    [ -z "$prefix" ] || directories+=("$prefix/lib64" "$prefix/lib")
  done
  python="$(command -v python3 || true)"
  for prefix in "${VIRTUAL_ENV:-}" "${python%/bin/python3}" "${HOME:+$HOME/.local}" /usr/local /usr; do
    [ -z "$prefix" ] || directories+=("$prefix"/lib/python3*/{site,dist}-packages/nvidia/{cu13,cuda_nvrtc}/lib)
  done
  for directory in "${directories[@]}"; do
    for name in libnvrtc.so.13 libnvrtc.so.12 libnvrtc.so; do
      [ -z "$directory" ] || [ ! -e "$directory/$name" ] || return 0
    done
  done
  PATH="$PATH:/usr/sbin:/sbin" ldconfig -p 2>/dev/null | grep -E 'libnvrtc\.so(\.1[23])? ' >/dev/null
}

pip_nvrtc() { compgen -G "$flashbias_root/.venv/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.*" | head -n 1; }

provide_nvrtc() {
  if finds_nvrtc; then return; fi
  if [ -z "$(pip_nvrtc)" ]; then
    python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
    echo "setup: no CUDA toolkit here; installing nvidia-cuda-nvrtc from pip into .venv" >&2
    python3 -m venv "$flashbias_root/.venv"
    "$flashbias_root/.venv/bin/pip" install --quiet --disable-pip-version-check nvidia-cuda-nvrtc
  fi
  FLASHBIAS_NVRTC="$(pip_nvrtc)"
  export FLASHBIAS_NVRTC
  echo "setup: NVRTC is in .venv. Other programs find it after 'source $flashbias_root/.venv/bin/activate', or with" \
    "FLASHBIAS_NVRTC=$FLASHBIAS_NVRTC" >&2
}

install_missing_packages "$@"
provide_nvrtc
