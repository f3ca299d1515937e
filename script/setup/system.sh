# Which system this is, what its packages are, and whether they fit. Sourced by script/bootstrap.

# Sets SYSTEM_ID, SYSTEM_VERSION (empty for testing and unstable), SYSTEM_NAME, SYSTEM_LIKE from an os-release file.
read_system() {
    local file="${1:-/etc/os-release}" values
    [ -r "$file" ] || { SYSTEM_ID=unknown SYSTEM_VERSION='' SYSTEM_LIKE='' SYSTEM_NAME="a system without $file"; return; }
    values="$(. "$file"; printf '%s\n' "${ID:-unknown}" "${VERSION_ID:-}" "${ID_LIKE:-}" "${PRETTY_NAME:-${ID:-unknown}}")"
    { read -r SYSTEM_ID; read -r SYSTEM_VERSION; read -r SYSTEM_LIKE; read -r SYSTEM_NAME; } <<<"$values"
}

# One word for the system read: "tested", "untested" (apt, and new enough as far as we know) or "refused: REASON".
judge_system() {
    local conda="or have GNU Radio from conda and run script/bootstrap --no-system"
    case "$SYSTEM_ID:$SYSTEM_VERSION" in
        debian:12 | debian:13) echo tested ;;
        debian:1[4-9] | debian: | ubuntu:24.* | ubuntu:25.* | ubuntu:26.*) echo untested ;;
        debian:*) echo "refused: $SYSTEM_NAME has a GNU Radio older than 3.10.5; use Debian 12 or later, $conda." ;;
        ubuntu:*) echo "refused: $SYSTEM_NAME has GNU Radio 3.10.1 or older, for Python 3.10 or older; this needs GNU Radio 3.10.5 and Python 3.11: use Ubuntu 24.04 or later, $conda." ;;
        *) case " $SYSTEM_ID $SYSTEM_LIKE " in
            *" debian "* | *" ubuntu "*) echo untested ;;
            *) echo "refused: $SYSTEM_NAME has no apt packages that this script knows; install GNU Radio 3.10.5 or later and run script/bootstrap --no-system." ;;
        esac ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo -E "$@"
    else die "needs root for '$1'; run it as root, install sudo, or where GNU Radio is there already run script/bootstrap --no-system."; fi
}

# The packages of a list that are not installed. A name with "?" before it is left out where the system lacks it.
missing_packages() {
    local name
    while read -r name; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "${name#\?}" 2>/dev/null || true)" = installed ] && continue
        if [ "$name" != "${name#\?}" ]; then
            offered "${name#\?}" >/dev/null || continue
        fi
        echo "${name#\?}"
    done < <(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$1")
}

# The version of a package that apt would install; false when there is none.
offered() {
    local version
    version="$(LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')"
    [ -n "$version" ] && [ "$version" != "(none)" ] && echo "$version"
}

# "MB to download" and "MB on disk" of an installation by apt, as apt says them.
apt_megabytes() {
    LC_ALL=C apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null | awk '
        function mb(value, unit) { gsub(",", "", value); return value * (unit == "GB" ? 1000 : unit == "kB" ? 0.001 : unit == "B" ? 0.000001 : 1) }
        /^Need to get/ { split($4, parts, "/"); need = mb(parts[1], $5 == "MB/" ? "MB" : $5) }
        /^After this operation/ { disk = mb($4, $5) }
        END { printf "%d %d\n", need + 0.5, disk + 0.5 }'
}

# Free megabytes where a path lies.
free_megabytes() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

# A GPU that PyTorch's CUDA build can use?
has_gpu() { [ -e /dev/nvidia0 ] || { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; }; }
