# Sourced by .ci/run. Clients and tools of other projects that must work unmodified with ours; kept out of the tree. One
# environment each, since what they need of other libraries does not go together.
python_homes=${XDG_CACHE_HOME:-$HOME/.cache}/vedette-ci-python
python_with() {
  local home=$python_homes/$1-3
  shift
  if [ ! -e "$home/.complete" ]; then
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check "$@"
    touch "$home/.complete"
  fi
  echo "$home/bin/python"
}
# model-signing 1.1.1 imports OpenSSL and does not say so.
VEDETTE_TEST_PYTHON=$(python_with tools 'tritonclient[http]==2.73.0' 'model-signing==1.1.1' 'pyOpenSSL==26.4.0')
VEDETTE_TEST_KSERVE_PYTHON=$(python_with kserve 'kserve==0.21.0')
VEDETTE_TEST_MLSERVER_PYTHON=$(python_with mlserver 'mlserver==1.7.1')
export VEDETTE_TEST_PYTHON VEDETTE_TEST_KSERVE_PYTHON VEDETTE_TEST_MLSERVER_PYTHON
