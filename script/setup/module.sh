# The GNU Radio module: a copy of the checkout's own in .venv/gr, and one for all users where nobody else's is. Sourced.

# The checkout whose module an interpreter finds outside every environment: its path, or nothing.
module_owner() {
    (cd / && env -u PYTHONPATH "$1" -c '
import importlib.util as u, re, pathlib
spec = u.find_spec("gnuradio.m4sc")
record = pathlib.Path(spec.submodule_search_locations[0]) / "_environment.py"
print(re.search(r"SOURCE = \"(.*)\"", record.read_text(encoding="utf-8"))[1])' 2>/dev/null) || true
}

# install_module BUILD PREFIX LOG: configure and install, no root.
install_module() {
    local generator=()
    command -v make >/dev/null || generator=(-G Ninja)
    cmake -S . -B "$1" "${generator[@]}" -DCMAKE_INSTALL_PREFIX="$2" -DM4SC_PYTHON="$PYTHON" -DM4SC_VENV="$PWD/$VENV" >"$3" 2>&1 &&
        ${4:-} cmake --install "$1" >>"$3" 2>&1
}

# GNU Radio's own programs with the module of this checkout: .venv/bin/gnuradio-companion and grcc.
write_wrappers() {
    local packages="$1" blocks="$2" program found paths
    paths="$("$PYTHON" -c 'from gnuradio import gr; print(gr.prefs().get_string("grc", "global_blocks_path", ""))' 2>/dev/null | tail -n 1 || true)"
    for program in gnuradio-companion grcc; do
        found="$(PATH="$(dirname "$PYTHON"):/usr/bin:$PATH" command -v "$program" || true)"
        [ -n "$found" ] || continue
        {
            echo '#!/bin/bash'
            echo "# Written by script/bootstrap: $program with the blocks of this checkout, last in the list so that they win."
            printf 'export PYTHONPATH=%q${PYTHONPATH:+:$PYTHONPATH}\n' "$packages"
            printf 'export GR_CONF_GRC_GLOBAL_BLOCKS_PATH=%q\n' "${paths:+$paths:}$blocks"
            printf 'exec %q "$@"\n' "$found"
        } >"$VENV/bin/$program"
        chmod +x "$VENV/bin/$program"
    done
}
