"""`m4sc bench handed-in`, a little of each figure; and which tests hold the kinds of what is handed in."""

from __future__ import annotations

import ast
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from flow import wait_until
from m4sc.recordings import write_recording
from m4sc_app.bench.trials import stop_trial
from m4sc_app.bench.trials.stop_trial import Command
from m4sc_app.bench.trials.text_trial import random_text, text_trial
from m4sc_app.cli import main

KINDS = {
    "A1 ends with frames undecoded": """
        test_tx_rx.py: a_receiver_with_a_backlog_ends_and_says_what_it_did_not_answer
        test_tx_rx.py: ctrl_c_ends_cleanly_with_a_summary
        test_cli_iq.py: count_ends_the_reading_and_says_what_was_left""",
    "A2 full disk": """
        test_recordings.py: a_full_disk_keeps_what_was_written until_it_is_finished_nothing_has_its_name
        test_tx_rx.py: a_full_disk_ends_the_recording_in_one_sentence
        qa_ends.py: a_full_disk_ends_the_flowgraph_and_keeps_what_was_written""",
    "A3 started twice": """
        qa_flow_control.py: stopping_wakes_who_waits_and_a_second_run_begins_empty
        qa_flow_control.py: lock_and_unlock_keep_the_place
        qa_pdu_worker.py: stopping_while_busy_returns_and_a_second_run_works""",
    "A4 ZeroMQ and strangers": """
        test_radio_ends.py: a_stopped_subscriber_costs_bounded_memory_and_is_told
        test_radio_ends.py: a_transmitter_tells_that_two_receivers_share_its_samples
        test_radio_ends.py: tags_that_a_stock_sink_sends_are_left_out_and_told
        test_radio_ends.py: a_receiver_connects_when_it_starts_and_takes_nothing_before
        test_phy_strangers.py: another_waveform_is_told_after_its_first_bursts another_sample_rate_is_told""",
    "A5 hostile payloads": """
        test_cases_fuzz.py: mutated_inputs any_bytes
        test_cases_pictures.py: a_small_file_of_a_large_picture_costs_a_receiver_nothing
        test_cases_sounds.py: hostile_sounds_from_the_air
        test_cases_texts.py: hostile_texts_from_the_air""",
    "A6 dashboard": """
        test_dashboard.py: of_settings_at_once_the_last_holds_and_one_pair_of_stations_is_left
        test_dashboard.py: kept_events_are_bounded_in_number_and_bytes
        test_dashboard.py: the_server_ends_without_a_traceback_while_a_page_is_open
        qa_pdu_worker.py: a_fault_at_the_end_still_ends_in_done""",
    "B7 pictures": """
        test_cases_pictures.py: a_photo_stands_upright deep_grey_is_scaled transparent_parts_are_white
        test_cases_pictures.py: of_an_animation_the_first_frame_and_a_word_about_it
        test_cases_pictures.py: a_large_picture_is_called_large_before_it_is_decoded
        test_cases_fuzz.py: every_kind_of_picture_is_read""",
    "B8 sounds": """
        test_cases_sounds.py: a_sound_is_heard_at_its_pitch_and_length
        test_cases_sounds.py: channels_that_cancel_each_other_are_noticed
        test_cases_sounds.py: nothing_is_heard_in_silence a_cut_file_is_told""",
    "B9 texts": """
        test_cases_texts.py: every_character_arrives ten_thousand_texts_arrive_by_the_shipped_tokenizer
        test_cases_texts.py: no_word_of_a_person_is_a_mark_of_the_template""",
    "B10 recordings": """
        test_recordings.py: every_complex_type_is_read_as_the_sigmf_library_does
        test_recordings.py: header_bytes_before_the_first_sample
        test_recordings.py: archives bare_samples_by_their_ending todays_validator_has_nothing_to_say
        test_recordings.py: what_cannot_be_read_is_refused_by_name""",
    "B11 messages": """
        test_cases_named.py: what_names_nothing_is_a_mistake a_folder_names_its_bad_file_and_sends_the_rest
        test_dashboard.py: a_picture_goes_with_its_spoken_question_and_a_question_with_its_task""",
    "B12 Python": """
        test_cases_pictures.py: a_picture_in_python what_is_no_picture_is_refused
        test_cases_sounds.py: a_sound_in_python what_is_no_sound_in_python
        test_cases_texts.py: what_is_no_text_in_python""",
    "C13 exit codes": """
        test_cli_iq.py: noise_alone_and_nothing_to_send_are_no_success broken_descriptions
        test_cases_files.py: a_broken_configuration_of_weights broken_tensors a_full_output_is_one_sentence
        test_cases_files.py: closed_streams what_a_terminal_cannot_show_is_replaced""",
    "C14 second user": """
        test_cases_files.py: a_conversion_can_be_read_by_every_user a_second_user_finds_it_whole""",
    "C15 quiet and quick": """
        test_cases_files.py: loading_shows_no_bars_and_no_warnings_of_others h_is_help
        test_cases_files.py: a_light_command_imports_only_what_it_needs
        test_cases_files.py: tasks_says_what_each_takes_and_which_are_weak
        test_tx_rx.py: a_long_wait_is_told_and_a_short_one_is_not""",
    "C16 report, windows, pages": """
        test_report.py: the_report_leads_with_air_time_at_equal_score axes_have_units_and_every_line_a_name
        test_report.py: a_withheld_answer_is_no_wrong_one
        test_grc_flowgraphs.py: a_note_says_what_flows_where
        test_docs.py: the_site_builds_and_asks_no_other_host""",
    "C17 what pages say": """
        test_docs.py: commands_and_options_exist figures_are_those_of_this_code
        test_doctor.py: all_weights_of_the_repository_are_checked_and_named_in_the_licences""",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_tests(kind: str) -> None:
    """A test that is renamed or taken away is missed here."""
    for line in KINDS[kind].strip().splitlines():
        name, tests = line.strip().split(": ")
        source = ast.parse((Path(__file__).parent / name).read_text(encoding="utf-8"))
        there = {node.name for node in source.body if isinstance(node, ast.FunctionDef)}
        assert {f"test_{test}" for test in tests.split()} <= there


class Careless:
    """Loses what looks like a special token, and keeps the rest."""

    def numbers(self, text: str) -> list[int]:
        return [ord(letter) for letter in re.sub(r"<\|\w+\|>", "", text)]

    def text(self, tokens: list[int]) -> str:
        return "".join(map(chr, tokens))


class Whole(Careless):
    def numbers(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


def test_a_text_that_is_changed_is_counted() -> None:
    wrong, example = text_trial(300, 1, Careless())
    assert 0 < wrong < 300 and "<|" in example
    assert text_trial(300, 1, Whole()) == (0, "")


def test_texts_are_of_all_of_unicode_and_none_is_blank() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    texts = [random_text(rng) for _ in range(300)]
    assert all(text.strip() for text in texts)
    assert max(ord(letter) for text in texts for letter in text) > 0x10000
    assert any("<|im_end|>" in text for text in texts)


def python(program: str, within_s: float = 1.5) -> Command:
    return Command((program,), within_s)


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ("import time, sys\ntry: time.sleep(20)\nexcept KeyboardInterrupt: sys.exit(130)", ""),
        ("import time\ntime.sleep(20)", "Traceback"),
        ("import time\nopen('x.part', 'w').close()\ntime.sleep(20)", "x.part"),
        ("import time, sys\ntry: time.sleep(20)\nexcept KeyboardInterrupt: sys.exit(7)", "exit code 7"),
    ],
)
def test_a_stop_that_goes_wrong_is_counted(
    program: str, wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    ready = tmp_path / "ready"
    started = (  # SIGINT too: a shell in the background has its children ignore it
        "import signal, time, sys\n"
        "for by in (signal.SIGINT, signal.SIGTERM): signal.signal(by, signal.default_int_handler)\n"
        f"open({str(ready)!r}, 'w').close()\n{program}"
    )
    if wrong == "x.part":
        started = started.replace("time.sleep(20)", "\ntry: time.sleep(20)\nexcept KeyboardInterrupt: pass")

    def until_ready(_: float) -> None:
        assert wait_until(ready.exists, 30.0)
        ready.unlink()
        time.sleep(0.5)

    monkeypatch.setattr(stop_trial, "_line", lambda argv, folder: [sys.executable, "-S", "-c", *argv])
    monkeypatch.setitem(stop_trial.COMMANDS, "made up", Command((started,), 3.0))
    monkeypatch.setattr(stop_trial, "_begun", lambda process: None)
    monkeypatch.setattr(stop_trial, "time", SimpleNamespace(sleep=until_ready))
    found = stop_trial.stop_trial("made up", 1, 1)
    assert found.runs == 3 and found.wrong == (2 if wrong else 0)  # SIGKILL is nothing that a program answers
    assert wrong in found.first and (not wrong or found.first.startswith("SIGINT"))


def test_a_command_hears_ctrl_c_though_its_starter_ignores_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import signal
    import sys

    monkeypatch.setattr(stop_trial, "_line", lambda argv, folder: [sys.executable, "-S", "-c", *argv])
    program = "import signal, sys\nsys.exit(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = stop_trial._start((program,), str(tmp_path), "")
        process.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.returncode == 1


def test_what_is_no_whole_file_is_found(tmp_path: Path) -> None:
    import numpy as np

    def refused(path: Path) -> bool:
        try:
            return stop_trial.half_file(tmp_path, killed=True) == path.name
        finally:
            path.unlink()

    data, meta = write_recording(tmp_path / "x", np.ones(9, np.complex64), 1e6, {})
    (tmp_path / "left.part").write_bytes(b"x")
    assert stop_trial.half_file(tmp_path, killed=False) == "left.part"
    assert stop_trial.half_file(tmp_path, killed=True) == "" and not (tmp_path / "left.part").exists()
    data.write_bytes(data.read_bytes()[:-8])
    assert refused(meta)
    for name, text in (("a.json", '{"a": '), ("a.html", "<html><body>"), ("a.sigmf-meta", "{}")):
        (tmp_path / name).write_text(text)
        assert refused(tmp_path / name)


def test_the_command_prints_figures(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "bench",
        "handed-in",
        "--only",
        "mutations",
        "--decoder",
        "a header of tags",
        "--inputs",
        "40",
        "--json",
    ]
    assert main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["config"]["inputs"] == 40
    assert [row["value"] for row in told["figures"]] == [0] and "40 inputs" in told["figures"][0]["detail"]


def test_an_unknown_figure_is_a_mistake() -> None:
    assert main(["bench", "handed-in", "--only", "luck"]) == 2
    assert main(["bench", "handed-in", "--decoder", "luck"]) == 2


def test_moments_begin_when_the_command_does() -> None:
    import signal
    import subprocess
    import sys

    late = "import time, signal; time.sleep(0.4); signal.signal(signal.SIGTERM, print); time.sleep(20)"
    started = time.monotonic()
    with subprocess.Popen([sys.executable, "-S", "-c", late], text=True) as process:
        stop_trial._begun(process)
        assert 0.4 <= time.monotonic() - started < 20
        process.send_signal(signal.SIGKILL)
