# Sourced by .ci/run. Clients of other projects that must work unmodified against an agent; kept out of the tree.
python_home=${XDG_CACHE_HOME:-$HOME/.cache}/vedette-ci-python-2
if [ ! -e "$python_home/.complete" ]; then
  python3 -m venv "$python_home"
  # model-signing 1.1.1 imports OpenSSL and does not say so.
  "$python_home/bin/pip" install --quiet --disable-pip-version-check 'tritonclient[http]==2.73.0' 'model-signing==1.1.1' 'pyOpenSSL==26.4.0'
  touch "$python_home/.complete"
fi
export VEDETTE_TEST_PYTHON=$python_home/bin/python
