#!/usr/bin/env bash
# Builds the optional native kernels, native/kernels.node, by `npm run build:native --workspace wasm-kernels`. Needs cargo
# and a C linker. What it makes is neither committed nor needed; README.md says when it is taken.
#
# VEDETTE_NATIVE_CPU names the processors it is for, as rustc does: those like this machine's where it says nothing, or
# such as `x86-64-v3`. Wider vectors are faster, and the bits are the same.
set -euo pipefail
cd "$(dirname "$0")"

export PATH=$PWD/../node_modules/.bin:${VEDETTE_RUST:-$HOME/.cache/vedette/rust}/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
cpu=${VEDETTE_NATIVE_CPU:-native}

# The tool has a lock file of its own: nobody but those who build need its sixty packages. What is optional in them is for
# building for other platforms; `npm ci` would insist that the lock file names it all.
wanted=$(sha256sum crates/node/package-lock.json)
if [ "$(cat crates/node/node_modules/.made-from 2> /dev/null)" != "$wanted" ]; then
  (cd crates/node && npm install --no-save --omit=optional --ignore-scripts --no-audit --no-fund)
  echo "$wanted" > crates/node/node_modules/.made-from
fi

# A folder for each kind of processor: cargo cannot know that `native` is another one on another machine.
kind=$(rustc --print cfg -C target-cpu="$cpu" | sha256sum | cut -c 1-8)
out=$PWD/target/native-$cpu-$kind
RUSTFLAGS="-C target-cpu=$cpu" crates/node/node_modules/.bin/napi build --cwd crates/node --profile native --no-js \
  --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir "$out" --output-dir "$out/made" -- --locked

# Renamed into place: a process that has the former one open keeps it.
mkdir -p native
mv "$out/made/kernels.node" native/kernels.node
node js/golden.ts native
