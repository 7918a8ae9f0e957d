#!/usr/bin/env bash
# The TUF project's own conformance suite against the agent's verifier, with Node's cryptography and with a page's.
# The suite comes from its repository (theupdateframework/tuf-conformance), of which TUF_CONFORMANCE_HOME is a checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${TUF_CONFORMANCE_HOME:?set it to a checkout of theupdateframework/tuf-conformance}"
here=$PWD
suite_python=${XDG_CACHE_HOME:-$HOME/.cache}/vedette-ci-python/tuf-conformance-1
if [ ! -e "$suite_python/.complete" ]; then
  python3 -m venv "$suite_python"
  "$suite_python/bin/pip" install --quiet --disable-pip-version-check -e "$TUF_CONFORMANCE_HOME"
  touch "$suite_python/.complete"
fi
client="$here/node_modules/.bin/node $here/edge-agent/src/browser/test/tuf-conformance-client.ts"
cd "$TUF_CONFORMANCE_HOME"
for platform in node browser; do
  echo "-- $platform"
  "$suite_python/bin/pytest" -q tuf_conformance --entrypoint "$client --platform=$platform"
done
