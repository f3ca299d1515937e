# What script/bootstrap says. Sourced.
say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

# The reason why a step failed, in one sentence, from what the step printed (files); never a guess: where nothing
# known is found, the last line that looks like an error is shown.
reason() {
    local text; text="$(tail -n 400 -q "$@" 2>/dev/null | tr -d '\r')"
    has() { grep -qiE "$1" <<<"$text"; }
    first() { grep -iEo "$1" <<<"$text" | head -n 1; }
    if has 'No space left on device|enough free space|Disk quota exceeded'; then
        echo "the disk is full; make room (df -h) and run it again."
    elif has 'DO NOT MATCH THE HASHES|Hash Sum mismatch'; then
        echo "a downloaded file is not the one that script/locks names ($(first 'Expected sha256 [0-9a-f]{12}|[^ ]+ Hash Sum mismatch')); nothing of it was installed. Run it again; if it stays so, a mirror or proxy alters files."
    elif has 'Could not get lock|is another process using it|dpkg frontend lock'; then
        echo "another apt or dpkg is running; wait until it has ended and run it again."
    elif has 'dpkg was interrupted'; then
        echo "an earlier installation of Debian packages was interrupted; run 'dpkg --configure -a' as root, then this again."
    elif has 'CERTIFICATE_VERIFY_FAILED|certificate verify failed|certificate is not trusted'; then
        echo "the certificate of the package server is not trusted here; install ca-certificates, or name your proxy's certificate with PIP_CERT."
    elif has 'Temporary failure (in name )?resolving|name resolution|Could not resolve|Name or service not known|Network is unreachable|Connection refused|Connection timed out|Read timed out|NewConnectionError|Unable to connect|No route to host'; then
        echo "no network: $(first "(Could not resolve|Temporary failure)[^']*'[^']*'|[^ ]*(Network is unreachable|Connection refused|Connection timed out|Read timed out|name resolution|NewConnectionError)[^,)]*"); check the connection and the proxy, then run it again."
    elif has 'Unable to locate package|has no installation candidate'; then
        echo "this system does not offer $(first "(Unable to locate package [^ ]+|Package '[^']+' has no installation candidate)"); its package lists are old or a part of its sources is switched off."
    elif has 'unmet dependencies|held broken packages'; then
        echo "Debian packages contradict each other here (see the lines above); 'apt-get -f install' as root names which."
    elif has 'No matching distribution found for|from versions: none'; then
        echo "there is no $(first 'No matching distribution found for [^ ]+' | sed 's/.* for //') for this Python ($("${PYTHON:-python3}" -c 'import platform as p; print(p.python_version(), p.machine())' 2>/dev/null)) where pip looks."
    elif has "(gcc|cc|g\+\+|c\+\+)'?:? (command )?(failed: )?(No such file|not found)|unable to execute '?(gcc|cc|x86_64)|No CMAKE_C(XX)?_COMPILER|Unknown compiler"; then
        echo "a package had to be compiled and there is no compiler; install gcc, or use a Python for which script/locks has wheels (3.11 to 3.14)."
    elif has 'Failed building wheel for|subprocess-exited-with-error|metadata-generation-failed'; then
        echo "$(first '(Failed building wheel for [^ ]+|error: command [^ ]+ failed)') : a package had to be compiled and did not; its messages are above."
    elif has 'Permission denied|EACCES|Read-only file system'; then
        echo "$(first "(Permission denied|Read-only file system)[^\n]{0,90}"): this user may not write there."
    elif has 'Killed|MemoryError|Cannot allocate memory'; then
        echo "memory ran out; close other programs or add swap, then run it again."
    else
        echo "its last message: $(grep -iE 'error|failed|fatal|cannot|E:' <<<"$text" | tail -n 1 | cut -c 1-300)"
    fi
}

# Run a step with its output in a log that is shown as it grows; on failure say why. step LOG WHAT COMMAND...
step() {
    local log="$1" what="$2" status; shift 2
    set +e
    "$@" 2>&1 </dev/null | tee "$log" >&2
    status="${PIPESTATUS[0]}"
    set -e
    [ "$status" = 0 ] || die "$what did not work: $(reason "$log")"
}
