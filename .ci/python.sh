# Sourced by .ci/run. Clients of other projects that must work unmodified against an agent; kept out of the tree.
python_home=${XDG_CACHE_HOME:-$HOME/.cache}/vedette-ci-python-1
if [ ! -e "$python_home/.complete" ]; then
  python3 -m venv "$python_home"
  "$python_home/bin/pip" install --quiet --disable-pip-version-check 'tritonclient[http]==2.73.0'
  touch "$python_home/.complete"
fi
export VEDETTE_TEST_PYTHON=$python_home/bin/python
