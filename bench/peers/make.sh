#!/bin/sh
# One virtual environment a Python peer, with exactly what requirements-NAME.txt pins, in a folder that may be thrown away:
#     bench/peers/make.sh [folder]        by default $VEDETTE_BENCH_PEERS, else ~/.cache/vedette-bench-peers
# An environment that is there already, made from the same pins, is kept. Needs python3 (3.11) with venv, and PyPI.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${VEDETTE_BENCH_PEERS:-$HOME/.cache/vedette-bench-peers}}
mkdir -p "$folder"
for peer in starlette litserve mlserver bentoml river frouros evidently alibi; do
  pins="$here/requirements-$peer.txt"
  if cmp -s "$pins" "$folder/$peer/made-from.txt"; then
    echo "$peer: is there"
    continue
  fi
  rm -rf "${folder:?}/$peer"
  "${PYTHON:-python3}" -m venv "$folder/$peer"
  # The pins are whole. alibi's take tensorflow-cpu where tf_keras asks for the tensorflow that brings CUDA along.
  "$folder/$peer/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$pins"
  cp "$pins" "$folder/$peer/made-from.txt"
  echo "$peer: made"
done
