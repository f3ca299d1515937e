"""The documentation builds without a warning, its commands run, its references are those of this code."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import Block, blocks_of, indented_commands, pages

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "script" / "docs_site"))

PAGES = pages(ROOT)
BLOCKS = [block for page, text in PAGES.items() for block in blocks_of(text, page)]
SAMPLES = ROOT / "python_blocks" / "samples"
SEPARATORS = {"|", "&&", ";", "&", ">", "2>"}
OTHER_PROGRAMS = {"cd", "export", "python", "cmake", "/usr/bin/python3", "git", "echo", "cat", "sudo"}


def of(*hows: str) -> Any:
    return pytest.mark.parametrize("block", [b for b in BLOCKS if b.how in hows], ids=lambda b: b.name)


# --- every block is marked, and its commands exist ----------------------------------------------------------


def test_every_block_says_how_it_is_tested() -> None:
    assert len(BLOCKS) >= 25
    assert [block.name for block in BLOCKS if not block.how] == []
    assert [block.name for block in BLOCKS if block.how == "skip" and len(block.rest) < 10] == []


def test_no_block_that_is_run_sets_the_machine_up() -> None:
    """They would install a copy of this checkout over the one under test."""
    setting_up = {"script/bootstrap", "script/demo", "script/test"}
    run = [block for block in BLOCKS if block.how in ("run", "slow") and block.language == "sh"]
    assert [block.name for block in run if setting_up & {words[0] for words in block.commands}] == []


def check_command(words: list[str]) -> None:
    """Raise when the words are no command that the project knows, or have options that it does not take."""
    import typer
    from m4sc_app.cli import whole_command

    assert not SEPARATORS & set(words), f"one command a line, no pipe: {words}"
    program, arguments = words[0].removeprefix("gr-m4sc/"), words[1:]
    if program.startswith("script/") or program.startswith("flowgraphs/"):
        assert os.access(ROOT / program, os.X_OK), f"{program} is not there or not executable"
    elif program.removeprefix(".venv/bin/") == "m4sc":
        while arguments and arguments[0] in ("--debug", "--version"):
            arguments = arguments[1:]
        if not arguments or arguments == ["--help"]:
            return
        name, *arguments = arguments
        command = whole_command(name)
        while hasattr(command, "commands"):
            command, arguments = command.commands[arguments[0]], arguments[1:]
        try:
            command.make_context("m4sc", list(arguments))
        except typer.Exit:
            assert "--help" in arguments
    elif program == "python" and arguments[0].endswith(".py"):
        assert (ROOT / arguments[0]).is_file(), f"{arguments[0]} is not there"
    else:
        assert program in OTHER_PROGRAMS or program.startswith("build/"), f"unknown program {program}"


@of("run", "slow", "parse")
def test_commands_and_options_exist(block: Block) -> None:
    if block.language == "python":
        compile(block.code, block.name, "exec")
        imports = re.findall(r"^(?:from|import) (?:m4sc|gnuradio)\b.*$", block.code, re.MULTILINE)
        exec("\n".join(imports), {})
        return
    for words in block.commands:
        check_command(words)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_indented_commands_exist(page: str) -> None:
    commands = indented_commands(PAGES[page])
    assert commands
    for words in commands:
        check_command(words)


def first_answer() -> list[str]:
    """Lines of the README's block from the clone to the first answer."""
    lines = PAGES["README.md"].splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("git clone"))
    return [line.strip() for line in itertools.takewhile(str.strip, lines[start:])]


def test_four_commands_at_most_from_clone_to_answer() -> None:
    lines = first_answer()
    assert 3 <= len(lines) <= 4 and not any(SEPARATORS & set(line.split()) for line in lines)
    assert [line.split()[0].rsplit("/", 1)[-1] for line in lines] == ["git", "bootstrap", "m4sc", "m4sc"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", [2, 3])
def test_two_terminals_of_the_readme_bring_an_answer(first: int, desk: Path) -> None:
    """The last two commands, below the folder that was cloned; either is started first."""
    if not (desk / ".venv").exists():
        (desk / ".venv").symlink_to(ROOT / ".venv")
    lines = first_answer()
    terminals = {
        number: subprocess.Popen(
            shlex.split(lines[number]), cwd=desk.parent, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for number in (first, 5 - first)
    }  # fmt: skip
    try:
        said = {number: process.communicate(timeout=280)[0] for number, process in terminals.items()}
    finally:
        for process in terminals.values():
            process.kill()
    assert [process.returncode for process in terminals.values()] == [0, 0]
    assert re.search(r"^#\d+ classify .* semantic: cat( \(.*\d+ % sure\))?$", said[2], re.M)


@pytest.mark.parametrize(
    "words", [["m4sc", "send", "--no-such-option"], ["m4sc", "nothing"], ["script/none"], ["rm", "-r", "x"]]
)
def test_a_wrong_command_is_found(words: list[str]) -> None:
    with pytest.raises(Exception, match=r".+"):
        check_command(words)


def test_an_unmarked_block_is_found_and_a_marker_holds_for_one_block() -> None:
    text = """
<!-- test: run exit 0 1 -->
```sh
m4sc doctor
```

```python
x = 1
```
<!-- test: run -->

words
```sh
ls
```
"""
    first, second, third = blocks_of(text, "page")
    assert (first.how, first.words_after("exit"), first.commands) == ("run", ["0", "1"], [["m4sc", "doctor"]])
    assert (second.language, second.how, third.how) == ("python", "", "")


# --- blocks that are run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, without its environment, and the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("desk") / "gr-m4sc"
    left_out = shutil.ignore_patterns(".*", "build", "runs", "__pycache__", "*.log")
    shutil.copytree(ROOT, folder, ignore=left_out)
    for name in ("cat.jpg", "digits.wav"):
        shutil.copy(SAMPLES / name, folder / name)
    (folder / "note.txt").write_text("The boat came back before the storm.", encoding="utf-8")
    for label, name in (("indoors", "coffee.jpg"), ("outdoors", "rocket.jpg")):
        (folder / "pictures" / label).mkdir(parents=True)
        shutil.copy(SAMPLES / name, folder / "pictures" / label / name)
    (folder / "runs" / "mine").mkdir(parents=True)
    (folder / "runs" / "mine" / "channel").symlink_to(folder / "models" / "weights" / "default")
    return folder


def beside_the_next(block: Block) -> str:
    """The block's code; where its marker says so, while the next block of its page runs beside it."""
    if "beside the next one" not in block.rest:
        return block.code
    page = [other for other in BLOCKS if other.page == block.page]
    return f"({block.code})&\nfirst=$!\n{page[page.index(block) + 1].code}wait $first"


def run_block(block: Block, folder: Path, timeout_s: float) -> None:
    """Run a block as a person would, in ``folder``; installs go below a home of its own."""
    if "after the one above" in block.rest:
        page = [other for other in BLOCKS if other.page == block.page]
        run_block(page[page.index(block) - 1], folder, timeout_s)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    environment["M4SC_HOME"] = os.environ.get("M4SC_HOME", str(Path.home() / ".cache" / "m4sc"))
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment['PATH']}"
    if "as root" in block.rest:
        environment["DESTDIR"] = str(folder / "root")
    if block.language == "python":
        script = folder / "block.py"
        script.write_text(block.code, encoding="utf-8")
        command = [str(ROOT / ".venv" / "bin" / "python"), str(script), *block.words_after("args")]
    else:
        command = ["bash", "-euo", "pipefail", "-c", beside_the_next(block)]
    if address := block.words_after("until"):
        run_until(command, folder, environment, address[0], timeout_s)
        return
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    allowed = [int(code) for code in block.words_after("exit")] or [0]
    assert done.returncode in allowed, (
        f"{block.name} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    assert "Traceback" not in done.stderr


def run_until(
    command: list[str], folder: Path, environment: dict[str, str], address: str, timeout_s: float
) -> None:
    """Start what serves until it is stopped; stop it by Ctrl-C once its page is there."""
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        end, page = time.monotonic() + timeout_s, b""
        while not page and server.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    page = answer.read()
            except OSError:
                continue
        os.killpg(server.pid, signal.SIGINT)
        said = server.communicate(timeout=60)[0]
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
    assert b"<html" in page.lower() and server.returncode in (0, 130), said
    assert "Traceback" not in said


@of("run")
@pytest.mark.timeout(120)
def test_block_runs(block: Block, desk: Path) -> None:
    run_block(block, desk, 100)


@pytest.mark.parametrize(
    "block",
    [b for b in BLOCKS if b.how == "slow" and "together with the one above" not in b.rest],
    ids=lambda b: b.name,
)
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_slow_block_runs(block: Block, desk: Path) -> None:
    run_block(block, desk, 880)


# --- the site ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        ["script/docs", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


@pytest.mark.timeout(120)
def test_the_site_builds_and_asks_no_other_host(site: Path) -> None:
    html = list(site.rglob("*.html"))
    assert len(html) >= 15
    for page in html:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?https?://", text), page.name
        assert '.svg"' not in "".join(re.findall(r"<img[^>]*figures/[^>]*>", text)), (
            "figures stand in the page"
        )


@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/usr/bin/chromium").exists(), reason="no Chromium")
@pytest.mark.parametrize("page", ["index.html", "concepts/frame.html"])
def test_a_page_opened_as_a_file_searches(page: str, site: Path, tmp_path: Path) -> None:
    from browser import Browser

    with Browser(tmp_path / "profile") as browser:
        browser.open((site / page).as_uri())
        assert browser.wait_for("document.readyState === 'complete'")
        browser.value("document.querySelector('#__search').click()")
        browser.value(
            "words = document.querySelector('[data-md-component=search-query]'); words.focus(); "
            "words.value = 'equaliser'; words.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}))"
        )
        found = "document.querySelectorAll('.md-search-result__item').length"
        assert browser.wait_for(f"{found} > 2", 40)


def test_the_block_reference_has_every_block_and_parameter(site: Path) -> None:
    import yaml

    text = (site / "reference" / "blocks.html").read_text(encoding="utf-8")
    for path in (ROOT / "gr-m4sc" / "grc").glob("*.block.yml"):
        block = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert block["label"] in text, f"{path.name} is not in the companion's tree"
        for parameter in block["parameters"]:
            assert f"<code>{parameter['id']}</code>" in text


def test_every_documented_parameter_and_port_of_a_block_is_read() -> None:
    import yaml
    from block_reference import documented

    for path in (ROOT / "gr-m4sc" / "grc").glob("*.block.yml"):
        block = yaml.safe_load(path.read_text(encoding="utf-8"))
        meanings = documented(block["documentation"], "Parameters")
        missing = [row["label"] for row in block["parameters"] if not meanings.get(row["label"])]
        assert missing == [], f"{path.name}: no meaning of {missing}"


def test_the_command_reference_has_every_option(site: Path) -> None:
    from command_reference import commands

    text = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    paths = [path for path, _ in commands()]
    assert {"demo", "send", "receive", "doctor", "bench mcs", "train align"} <= set(paths)
    for path, command in commands():
        assert f"m4sc {path}" in text
        for parameter in command.params:
            assert parameter.name == "help" or parameter.opts[0] in text or parameter.opts[0].upper() in text


def test_results_take_any_rows(tmp_path: Path) -> None:
    from results_page import read_rows, results_page

    assert "No evaluation" in results_page(tmp_path)
    row = {"system": "other", "channel": "c", "metric": "m"}
    rows: list[dict[str, Any]] = [
        {**row, "task": "a", "kind": "x", "snr_db": 1, "score": 2},
        {**row, "task": "b", "kind": "all", "snr_db": -5.5, "score": 0.25, "ci_low": 0.1, "ci_high": 0.4},
        {**row, "task": "b", "kind": "all", "snr_db": 0, "score": 0.5, "blind_score": None},
        {"not": "a row"},
    ]
    lines = [*map(json.dumps, rows), ""]
    (tmp_path / "results.jsonl").write_text("\n".join(lines), encoding="utf-8")
    card = "# Model card\n\n## Limits\n\n[a](../../../docs/x.md#y) [b](../z.md)\n```\n# code\n```\n"
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    other = tmp_path / "beside"
    other.mkdir()
    (other / "README.md").write_text("# Other\n\nwhat it reaches\n", encoding="utf-8")
    page = results_page(tmp_path, [tmp_path, other])
    for part in ("## a", "## b", "0.10 to 0.40", "-5.5", "\n### Limits", "[a](x.md#y) b", "\n# code\n"):
        assert part in page
    assert page.count("Limits") == 1 and page.endswith("## The weights `beside`\n\n\nwhat it reaches\n")
    assert page.count("<svg") == 2 and "| system |" not in page
    rows.append({**rows[2], "system": "third"})
    (tmp_path / "results.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "| system | channel |" in results_page(tmp_path)
    (tmp_path / "results.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        read_rows(tmp_path / "results.jsonl")


def test_figures_are_those_of_this_code() -> None:
    import draw_figures

    for figure in draw_figures.FIGURES:
        drawn = (draw_figures.FOLDER / f"{figure.__name__}.svg").read_text(encoding="utf-8")
        assert figure().svg() == drawn, "run .venv/bin/python script/docs_site/draw_figures.py"
