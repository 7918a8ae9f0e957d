#!/usr/bin/env bash
# Are the committed modules what the Rust sources say? Tests and lints the sources, rebuilds both modules and compares.
#
# The same tools must give the same bytes. Other versions may not, and then both are run through the same fixed inputs and
# must compute the same bits; the outcome says which of the two was checked.
set -euo pipefail
cd "$(dirname "$0")/.."

"$(dirname "$0")/rust.sh" "$@"
export PATH=${VEDETTE_RUST:-$HOME/.cache/vedette/rust}/bin:$PWD/node_modules/.bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

rebuilt=$(mktemp -d)
trap 'rm -rf "$rebuilt"' EXIT
(
  cd wasm-kernels
  cargo test --quiet --workspace --locked
  cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
  ./build.sh "$rebuilt"
)

pkg=wasm-kernels/pkg
tools() { grep -E '"(rustc|std|wasm-bindgen|wasm-pack)":' "$1/BUILD.json"; }
if [ "$(tools "$pkg")" = "$(tools "$rebuilt")" ]; then
  diff -r "$pkg" "$rebuilt" && echo "wasm: same tools, same bytes" && exit 0
  echo "wasm: the same tools give other bytes: run wasm-kernels/build.sh and commit its output" >&2
  exit 1
fi

echo "wasm: other tools than those that made the committed modules, so results are compared instead of bytes"
diff <(tools "$pkg") <(tools "$rebuilt") || true
committed=$(node wasm-kernels/js/golden.ts)
fresh=$(node wasm-kernels/js/golden.ts "$rebuilt/kernels_simd.wasm" "$rebuilt/kernels_scalar.wasm")
if [ "$committed" != "$fresh" ]; then
  printf 'wasm: the results differ\ncommitted:\n%s\nrebuilt:\n%s\n' "$committed" "$fresh" >&2
  exit 1
fi
printf 'wasm: same results\n%s\n' "$fresh"
