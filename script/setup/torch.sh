# Which PyTorch: the CUDA build where there is a GPU, else one without gigabytes of CUDA. Sourced by script/bootstrap.
#
#   cuda      the public index's build and its CUDA libraries
#   wheel     a CPU wheel that pip finds: PIP_FIND_LINKS, an index of pip's configuration, or M4SC_TORCH_INDEX
#   system    the system's python3-torch (Debian 13)
#   present   the interpreter has one already (conda)

TORCH_NEEDED=2.6 # transformers asks for it
# OpenBLAS with it: the reference BLAS that comes otherwise multiplies matrices about seven times slower.
SYSTEM_TORCH=(python3-torch libopenblas0-openmp)

torch_version() { sed -n 's/^torch==//p' script/torch.txt; }
torch_index() { [ -z "${M4SC_TORCH_INDEX:-}" ] || printf -- '--extra-index-url=%s' "$M4SC_TORCH_INDEX"; }
new_enough() { [ "$(printf '%s\n' "$TORCH_NEEDED" "$1" | sort -V | head -n 1)" = "$TORCH_NEEDED" ]; }

system_torch() {
    local version
    version="$(offered python3-torch || true)"
    [ -n "$version" ] && new_enough "${version#*:}"
}

present_torch() {
    local version
    version="$("$PYTHON" -I -c 'import torch; print(torch.__version__)' 2>/dev/null | tail -n 1)"
    [ -n "$version" ] && new_enough "$version"
}

# Does pip find a CPU wheel for this Python? The files named are looked at, nothing large is fetched from an index
# that describes its files.
wheel_torch() {
    "$PYTHON" -m pip --version >/dev/null 2>&1 || return 1
    "$PYTHON" -m pip download -q --no-deps --only-binary=:all: -d build/setup/torch $(torch_index) \
        "torch==$(torch_version)+cpu" >build/setup/torch.log 2>&1
}

# Before pip is there: what choose_torch will likely say, for the sizes told.
expected_torch() {
    if [ -n "${M4SC_TORCH:-}" ]; then echo "$M4SC_TORCH"
    elif has_gpu; then echo cuda
    elif [ -n "${M4SC_TORCH_INDEX:-}" ] || wheel_nearby; then echo wheel
    elif system_torch; then echo system
    else echo cuda; fi
}

# A CPU wheel for the system's Python in a folder that pip is told of?
wheel_nearby() {
    local folder python
    python="$(offered python3 || true)"; python="$(cut -d. -f1,2 <<<"${python%%-*}" | tr -d .)"
    for folder in ${PIP_FIND_LINKS:-}; do
        compgen -G "$folder/torch-$(torch_version)+cpu-cp$python-*.whl" >/dev/null && return
    done
    return 1
}

# MB to download for what expected_torch says; the system's is counted with the system's packages.
torch_megabytes() {
    case "$(expected_torch)" in
        cuda) megabytes "script/locks/python$1-torch-cuda.txt" | grep . || echo 3000 ;;
        wheel) echo 192 ;;
        *) echo 0 ;;
    esac
}

choose_torch() {
    case "${M4SC_TORCH:-}" in
        wheel | system | cuda | present) echo "$M4SC_TORCH"; return ;;
        "") ;;
        *) die "M4SC_TORCH=$M4SC_TORCH is none of wheel, system, cuda, present." ;;
    esac
    if has_gpu; then { [ "$system" = 0 ] && present_torch && echo present; } || echo cuda
    elif [ "$system" = 0 ] && present_torch; then echo present
    elif wheel_torch; then echo wheel
    elif [ "$system" = 1 ] && system_torch; then echo system
    elif present_torch; then echo present
    else echo cuda; fi
}

# install_torch KIND PYTHON_VERSION
install_torch() {
    local lock pip=("$VENV/bin/python" -m pip install --progress-bar off)
    case "$1" in
        present) note "PyTorch: the one that $PYTHON has." ;;
        system)
            if [ "$(dpkg-query -W -f='${db:Status-Status}\n' "${SYSTEM_TORCH[@]}" 2>/dev/null | grep -cx installed)" != "${#SYSTEM_TORCH[@]}" ]; then
                say "PyTorch of the system (python3-torch $(offered python3-torch)), $(apt_megabytes "${SYSTEM_TORCH[@]}" | cut -d' ' -f1) MB to download"
                step "$LOGS/apt-torch.log" "installing python3-torch" as_root apt-get install -y -q --no-install-recommends "${SYSTEM_TORCH[@]}"
                printf '%s\n' "${SYSTEM_TORCH[@]}" >>"$LOGS/apt-packages"
            fi
            "$VENV/bin/python" -m pip uninstall -q -y torch >/dev/null 2>&1 || true ;; # an older wheel would hide it
        wheel)
            say "PyTorch $(torch_version) for the CPU"
            lock=script/locks/torch-cpu.txt
            if "${pip[@]}" -q --no-deps --require-hashes --find-links build/setup/torch -r "$lock" >"$LOGS/torch.log" 2>&1; then :
            else # a wheel that script/lock has not seen (another Python, another index): by version
                step "$LOGS/torch.log" "installing PyTorch's CPU wheel" "${pip[@]}" --no-deps --find-links build/setup/torch $(torch_index) "torch==$(torch_version)+cpu"
            fi ;;
        cuda)
            lock="script/locks/python$2-torch-cuda.txt"
            say "PyTorch $(torch_version) with its CUDA libraries, about $(megabytes "$lock") MB to download"
            has_gpu || note "there is no GPU here, and no CPU build was found: M4SC_TORCH_INDEX=URL with the address of PyTorch's CPU index saves nearly all of it."
            if [ "$(uname -m)" = x86_64 ] && [ -f "$lock" ]; then
                room . $(($(megabytes "$lock") * 3)) "PyTorch with CUDA"
                step "$LOGS/torch.log" "installing PyTorch" "${pip[@]}" --no-deps --require-hashes -r "$lock"
            else
                step "$LOGS/torch.log" "installing PyTorch" "${pip[@]}" "torch==$(torch_version)"
            fi ;;
    esac
    step "$LOGS/torch-import.log" "importing PyTorch" "$VENV/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'
}
