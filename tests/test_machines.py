"""The set-up on several systems: which are taken, locks, reasons given, what GNU Radio 3.11 removes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "script" / "locks"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def shell(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run bash with the parts of script/bootstrap loaded."""
    parts = "; ".join(f". script/setup/{name}.sh" for name in ("say", "system", "torch", "module"))
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {parts}; {code}", "_", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


# --- systems ------------------------------------------------------------------------------------------------


OLD_UBUNTU = 'ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"'


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"', "tested"),
        ('ID=debian\nVERSION_ID="13"', "tested"),
        ("ID=debian\nPRETTY_NAME='Debian GNU/Linux forky/sid'\nVERSION_CODENAME=forky", "untested"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"', "untested"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="26.04"', "untested"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"', "untested"),
        (OLD_UBUNTU, "refused: Ubuntu 22.04.5 LTS has GNU Radio 3.10.1"),
        ('ID=debian\nVERSION_ID="11"', "refused: debian has a GNU Radio older"),
        ('ID=fedora\nVERSION_ID="42"\nPRETTY_NAME="Fedora Linux 42"', "refused: Fedora Linux 42 has no apt"),
    ],
)
def test_a_system_is_taken_or_refused_with_its_reason(text: str, verdict: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(text + "\n", encoding="utf-8")
    done = shell('read_system "$1"; judge_system', str(tmp_path / "os-release"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(verdict)
    if verdict.startswith("refused"):
        assert "--no-system" in done.stdout


def test_this_machine_is_read() -> None:
    done = shell('read_system; echo "$SYSTEM_ID $SYSTEM_NAME"')
    assert re.match(r"\w+ \S", done.stdout)


NO_WHEEL = "ERROR: No matching distribution found for "
FAILURES = {
    "the disk is full": "E: You don't have enough free space in /var/cache/apt/archives/.",
    "the disk is full; make room": "OSError: [Errno 28] No space left on device",
    "there is no compiler": "error: command 'gcc' failed: No such file or directory\n"
    "ERROR: Failed building wheel for numpy",
    "had to be compiled and did not": "ERROR: Failed building wheel for numpy",
    "there is no ctranslate2==4.8.5 for this Python": f"{NO_WHEEL}ctranslate2==4.8.5",
    "no network: Temporary failure resolving 'mirror'": "W: Temporary failure resolving 'mirror'\n"
    "E: Unable to locate package gnuradio",
    "does not offer Unable to locate package gnuradio": "E: Unable to locate package gnuradio",
    "not the one that script/locks names": "THESE PACKAGES DO NOT MATCH THE HASHES\n"
    " Expected sha256 0123456789ab",
    "the certificate of the package server": f"SSLError '[SSL: CERTIFICATE_VERIFY_FAILED]'\n{NO_WHEEL}x",
    "another apt or dpkg": "E: Could not get lock /var/lib/dpkg/lock-frontend",
    "may not write there": "mkdir: cannot create directory: Permission denied",
    "its last message: SomethingError: the moon is full": "all is fine\nSomethingError: the moon is full",
}


@pytest.mark.parametrize(("reason", "said"), FAILURES.items())
def test_a_failure_says_its_own_reason(reason: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(said + "\n", encoding="utf-8")
    done = shell('reason "$1"', str(tmp_path / "log"))
    assert reason in done.stdout, done.stdout + done.stderr
    assert len(done.stdout.strip().splitlines()) == 1


def test_a_step_that_fails_shows_its_output_and_its_reason(tmp_path: Path) -> None:
    failing = "echo working; echo 'OSError: [Errno 28] No space left on device' >&2; exit 3"
    done = shell('step "$1" "the third step" bash -c "$2"; echo went on', str(tmp_path / "log"), failing)
    assert done.returncode == 1 and "went on" not in done.stdout
    assert "working" in done.stderr and "the third step did not work: the disk is full" in done.stderr
    done = shell('step "$1" "the third step" true; echo went on', str(tmp_path / "log"))
    assert done.returncode == 0 and "went on" in done.stdout


@pytest.mark.parametrize("script", ["bootstrap", "uninstall", "test-systems"])
def test_scripts_explain_themselves_and_refuse_what_they_do_not_know(script: str) -> None:
    command = [str(ROOT / "script" / script)]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and f"script/{script}" in done.stdout
    done = subprocess.run([*command, "--sing"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "--sing" in done.stderr


def test_bootstrap_refuses_an_interpreter_without_gnu_radio(tmp_path: Path) -> None:
    """An interpreter that is none of GNU Radio's is named, with why it is none."""
    bare = tmp_path / "python3"
    bare.write_text('#!/bin/sh\nexec /usr/bin/python3 -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "script" / "bootstrap"), "--no-system", "--python", str(bare)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{bare} cannot import GNU Radio: No module named 'gnuradio'" in done.stderr
    assert "--python PATH" in done.stderr


def test_figures_of_two_systems_are_compared(tmp_path: Path) -> None:
    """What the commands print becomes lines of a log; a worse score, a slower model, a lost figure fail."""
    row = {"task": "text", "kind": "all", "metric": "exact", "channel": "awgn", "snr_db": 10.0, "score": 0.9}
    rows = [row, {**row, "metric": "bleu4", "score": 0.7}, {**row, "kind": "numbers", "score": 0.2}]
    speed = {"encode_ms": 40.0, "first_token_ms": 50.0, "tokens_per_s": 20.0, "receiver_peak_rss_gb": None}
    figures = [{"name": name, "value": value} for name, value in speed.items()]
    (tmp_path / "scores").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "speed").write_text(json.dumps({"figures": figures}), encoding="utf-8")

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "script" / "setup" / "figures.py"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    told = run("tell", tmp_path / "scores", tmp_path / "speed").stdout
    reference = f"system: Debian 12\n{told}system: all well\n"
    assert told.count("system: figure") == 5 and "0.20000" not in told

    def compared(other: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "a.log").write_text(reference, encoding="utf-8")
        (tmp_path / "b.log").write_text(other, encoding="utf-8")
        return run("compare", tmp_path / "a.log", tmp_path / "b.log")

    assert compared(reference).returncode == 0
    assert compared(reference.replace("0.90000", "0.90400").replace("ms 40", "ms 44")).returncode == 0
    for old, new in (
        ("0.90000", "0.89400"),
        ("0.70000", "0.69400"),
        ("ms 40", "ms 45"),
        ("per_s 20", "per_s 17"),
        ("figure sp", "x"),
    ):
        assert old in reference
        assert compared(reference.replace(old, new)).returncode == 1, new
    assert "-0.60 points FAILED" in compared(reference.replace("0.90000", "0.89400")).stdout
    reference = "nothing"
    assert compared(reference).returncode == 1


# --- locks --------------------------------------------------------------------------------------------------


def pins(path: Path) -> dict[str, str]:
    """Name and version of each pinned package of a list or lock."""
    lines = [line.split(";")[0].split() for line in path.read_text(encoding="utf-8").splitlines()]
    found = [line[0].split("==") for line in lines if line and "==" in line[0]]
    assert len(found) == len({name for name, _ in found}), f"{path.name} names a package twice"
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_has_every_pin_with_hashes(python: str) -> None:
    lock = LOCKS / f"python{python}-packages.txt"
    assert pins(lock) == pins(ROOT / "script" / "requirements.txt"), "run script/lock"
    for path in LOCKS.glob(f"python{python}-*.txt"):
        text = path.read_text(encoding="utf-8")
        assert re.search(r"^# download_mb: [1-9]\d*$", text, re.MULTILINE), path.name
        for line in filter(lambda line: "==" in line, text.splitlines()):
            assert re.fullmatch(r"\S+==\S+( --hash=sha256:[0-9a-f]{64})+", line), f"{path.name}: {line}"


def test_numpy_is_locked_for_each_gnu_radio_there_is() -> None:
    """Debian 12: NumPy 1 with Python 3.11; Ubuntu 24.04: NumPy 1 with 3.12; Debian 13: NumPy 2 with 3.13."""
    for python, major in (("3.11", 1), ("3.12", 1), ("3.12", 2), ("3.13", 2), ("3.14", 2)):
        assert pins(LOCKS / f"python{python}-numpy{major}.txt")["numpy"].startswith(f"{major}.")
    assert not (LOCKS / "python3.13-numpy1.txt").exists()  # no such wheel


def test_what_the_first_command_downloads_without_a_gpu_stays_small() -> None:
    """Python packages and NumPy; system packages and python3-torch were 0.57 GB on Debian 13."""
    for python in PYTHONS:
        text = "".join((LOCKS / f"python{python}-{kind}.txt").read_text() for kind in ("packages", "numpy2"))
        assert sum(map(int, re.findall(r"download_mb: (\d+)", text))) <= 900


# --- GNU Radio's next ---------------------------------------------------------------------------------------


_SHIMS = "pdu_to_tagged_stream|tagged_stream_to_pdu|pdu_(?:filter|remove|set)|random_pdu"
_OLD = "clock_recovery_mm_cc|clock_recovery_mm_ff|msk_timing_recovery_cc|psk_mod|psk_demod|qam_mod|qam_demod"
REMOVED = re.compile(rf"\bblocks[._](?:{_SHIMS})\b|\bdigital[._](?:{_OLD})\b|\banalog[._]cpfsk_bc\b")
"""gr-blocks' shims for what is in gr-pdu since 3.10, and the blocks on GNU Radio's own list for removal (its
issue 5438)."""


def test_nothing_that_gnu_radio_3_11_removes_is_used() -> None:
    assert REMOVED.search("self.connect(blocks.pdu_to_tagged_stream(blocks.float_t))")
    places = [ROOT / name for name in ("models", "python_blocks", "flowgraphs", "apps", "gr-m4sc")]
    used = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for place in places
        for suffix in ("*.py", "*.grc", "*.yml")
        for path in place.rglob(suffix)
        for match in REMOVED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert used == []
