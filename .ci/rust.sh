#!/usr/bin/env bash
# Gives this machine what wasm-kernels/build.sh needs: a Rust that compiles for wasm32-unknown-unknown, and the two
# tools at the versions this repository pins. Call it as often as you like; what is there is left alone.
#
# With rustup the target is one download. Without it, on Debian, Rust and its library sources come as packages, and the
# standard library is compiled for wasm32 here, the way Rust's own bootstrap does: by building the `std` of its source
# tree. The result lives in a private toolchain ($VEDETTE_RUST, else ~/.cache/vedette/rust) that borrows the rest from
# the system's, so nothing under /usr changes. build.sh puts that toolchain first on PATH. `rust.sh --own` makes it even
# where another Rust would do: it made the committed modules, so it is the one to rebuild them with.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
toolchain=${VEDETTE_RUST:-$HOME/.cache/vedette/rust}
wasm_pack=0.15.1
# wasm-bindgen refuses a module made by another version of itself, so the lock file decides.
wasm_bindgen=$(grep -A1 '^name = "wasm-bindgen"$' wasm-kernels/Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')
export PATH=$toolchain/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Into a folder: rustc renames its output into place, and as root would replace a device such as /dev/null by a file.
compiles_for_wasm() {
  echo 'pub fn probe() {}' | "$1" --target $target --crate-type lib --out-dir "$scratch" - 2> /dev/null
}

install_packages() {
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    rustc-web cargo-web rust-web-src rust-web-clippy lld-19 gcc libc6-dev binutils
}

# A sysroot of links to the system's, with a library for wasm32 of its own; `rustc` here is the system's, pointed at it.
make_toolchain() {
  local system library work=$scratch/std
  system=$(/usr/bin/rustc --print sysroot)
  library=$system/lib/rustlib/src/rust/library
  rm -rf "$toolchain/sysroot"
  mkdir -p "$toolchain/bin" "$toolchain/sysroot/lib/rustlib/$target/lib"
  ln -s "$system"/lib/rustlib/x86_64-unknown-linux-gnu "$system"/lib/rustlib/src "$toolchain/sysroot/lib/rustlib/"
  ln -sf /usr/bin/cargo /usr/bin/cargo-clippy /usr/bin/clippy-driver "$toolchain/bin/"
  ln -sf /usr/bin/lld-19 "$toolchain/bin/rust-lld"

  # Paths are rewritten because they end up in the messages of panics; development dependencies are not in the package.
  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
    RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes --remap-path-prefix=$library=library" \
    /usr/bin/cargo build --release --locked --offline -Zavoid-dev-deps --target $target --target-dir "$work" \
    --manifest-path "$library/sysroot/Cargo.toml" -p std -p panic_abort \
    --config 'source.crates-io.replace-with="vendor"' --config "source.vendor.directory=\"$library/vendor\""
  cp "$work/$target/release/deps/"*.rlib "$toolchain/sysroot/lib/rustlib/$target/lib/"

  # Last, so that an interrupted run leaves no compiler that looks complete.
  printf '#!/bin/sh\nexec /usr/bin/rustc --sysroot "%s" "$@"\n' "$toolchain/sysroot" > "$toolchain/bin/rustc.new"
  chmod +x "$toolchain/bin/rustc.new"
  mv "$toolchain/bin/rustc.new" "$toolchain/bin/rustc"
}

if [ "${1:-}" = --own ] && [ ! -x "$toolchain/bin/rustc" ] || ! compiles_for_wasm rustc; then
  if [ "${1:-}" != --own ] && command -v rustup > /dev/null && timeout 120 rustup target add $target && compiles_for_wasm rustc; then
    echo "rustup added $target"
  else
    [ -x /usr/bin/cargo ] && [ -x /usr/bin/cargo-clippy ] && [ -x /usr/bin/lld-19 ] || install_packages
    make_toolchain
    hash -r
    compiles_for_wasm rustc
  fi
fi

has() { "$1" --version 2> /dev/null | grep -qFx "$1 $2"; }
has wasm-bindgen "$wasm_bindgen" || cargo install --locked --root "$toolchain" "wasm-bindgen-cli@$wasm_bindgen"
has wasm-pack "$wasm_pack" || cargo install --locked --root "$toolchain" "wasm-pack@$wasm_pack"
echo "$(rustc --version); wasm-bindgen $wasm_bindgen; wasm-pack $wasm_pack"
