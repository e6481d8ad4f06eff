import os
import signal
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from lab.command import MARK, RC_LIMIT, RC_STOPPED, interrupted_by_sigterm, run
from lab.deadline import until
from lab.errors import HostError
from lab.host import environment, started_ticks


def test_what_a_process_said_and_how_it_ended_is_a_value() -> None:
    done = run(("sh", "-c", "echo out; echo err >&2; exit 3"), limit_s=10)
    assert (done.rc, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_input_environment_and_folder_reach_it(tmp_path: Path) -> None:
    done = run(("sh", "-c", "cat; echo $GREETING; pwd"), limit_s=10, stdin="in\n", env={"GREETING": "hello"}, cwd=tmp_path)
    assert done.stdout == f"in\nhello\n{tmp_path}\n"


def test_lines_are_told_as_they_come_without_secrets() -> None:
    told: list[str] = []
    done = run(("sh", "-c", "echo one; echo token=abcdefghijkl; echo token=abcdefghijkl >&2"), limit_s=10, on_line=told.append)
    assert told == ["one", "token=[masked]"]
    assert (done.stdout, done.stderr) == ("one\ntoken=[masked]\n", "token=[masked]\n")


def test_who_compares_gets_what_was_said_as_it_is() -> None:
    assert run(("echo", "token=abcdefghijkl"), limit_s=10, masked=False).stdout == "token=abcdefghijkl\n"


def test_at_the_limit_the_whole_process_group_ends(tmp_path: Path) -> None:
    done = run(("sh", "-c", f"sleep 300 & echo $! >{tmp_path}/child; wait"), limit_s=0.5)
    assert done.rc == RC_LIMIT
    assert started_ticks(int((tmp_path / "child").read_text())) == 0


def test_told_to_stop_it_ends() -> None:
    stop = Event()
    timer = Timer(0.2, stop.set)
    timer.start()
    assert run(("sleep", "300"), limit_s=60, stop=stop).rc == RC_STOPPED
    timer.join()


def test_what_the_lab_starts_carries_its_mark() -> None:
    done = run(("sh", "-c", f"echo ${MARK}"), limit_s=10)
    assert done.stdout.strip() == str(os.getpid())
    assert MARK not in environment(os.getpid())


def test_a_program_that_is_not_there_is_an_error_with_a_fix() -> None:
    with pytest.raises(HostError, match="cannot start 'no-such-program'"):
        run(("no-such-program",), limit_s=10)


def test_a_file_that_is_no_program_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(HostError, match="cannot start"):
        run((str(tmp_path / "text"),), limit_s=10)


def test_a_listener_that_breaks_ends_the_process_and_is_heard(tmp_path: Path) -> None:
    def on_line(line: str) -> None:
        raise OSError(28, f"no space left for {line}")

    with pytest.raises(OSError, match="no space left for one"):
        run(("sh", "-c", f"echo $$ >{tmp_path}/pid; echo one; yes; sleep 300"), limit_s=3600, on_line=on_line)
    assert started_ticks(int((tmp_path / "pid").read_text())) == 0


def test_a_child_that_does_not_hear_ends_too(tmp_path: Path) -> None:
    script = f"(trap '' TERM; echo >{tmp_path}/deaf; while :; do sleep 0.1; done) & echo $! >{tmp_path}/child; wait"
    stop = Event()
    waiting = Thread(target=lambda: stop.set() if until((tmp_path / "deaf").exists, bool, limit_s=30, every_s=0.02) else None)
    waiting.start()
    assert run(("sh", "-c", script), limit_s=60, stop=stop).rc == RC_STOPPED
    waiting.join()
    child = int((tmp_path / "child").read_text())
    assert until(lambda: started_ticks(child), lambda ticks: ticks == 0, limit_s=10, every_s=0.02) == 0


def test_a_process_that_reads_nothing_of_a_large_input_is_no_error() -> None:
    assert run(("true",), limit_s=10, stdin="x" * 1_000_000).rc == 0


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_is_an_interrupt_inside_the_block_alone(sign: signal.Signals) -> None:
    before = signal.getsignal(sign)
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        os.kill(os.getpid(), sign)
    assert signal.getsignal(sign) == before


def test_told_twice_to_end_it_goes_on_taking_down() -> None:
    taken_down = False
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            taken_down = True
    assert taken_down
