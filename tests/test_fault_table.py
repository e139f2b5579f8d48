"""The tables of faults in docs/runs.md and docs/faults.md: each row is what happens."""

import errno
import os
import pathlib
import re
import signal
from collections.abc import Callable

import numpy as np
import pytest

from photochrom import cli, errors
from photochrom.imaging.sandbox import decoder, pool
from photochrom.jobs import signals
from photochrom.sources import member_reader
from photochrom.sources.source import Source
from tests.support import mutations

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PLACEHOLDERS = {"OUT": "OUTPUT", "PATH": "OUTPUT/images/a.jpg", "STEP": r"[\w/]+", "N": r"\d+"}


def rows(page: str, header: str) -> dict[str, list[str]]:
    """First cell -> the other cells, of the table that begins with that header."""
    lines = (DOCS / page).read_text().partition(f"| {header} |")[2].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[: lines.index("")]]
    return {first: rest for first, *rest in cells}


EVENTS = rows("runs.md", "event | message | result")


def pattern(message: str, output: pathlib.Path) -> re.Pattern:
    """The regular expression of the message in a cell: placeholders in capitals, `...` for more words."""
    words = re.escape(re.search("`(.+?)`", message)[1]).replace(r"\.\.\.", ".*")
    for name, value in PLACEHOLDERS.items():
        words = re.sub(rf"\b{name}\b", lambda _, value=value: value.replace("OUTPUT", re.escape(str(output))), words)
    return re.compile(words)


def system(number: int) -> Callable[[pathlib.Path], BaseException]:
    return lambda output: OSError(number, os.strerror(number), f"{output}/images/a.jpg")


ENDED: dict[str, list[Callable[[pathlib.Path], BaseException]]] = {
    "no space left, a quota used up": [system(errno.ENOSPC), system(errno.EDQUOT)],
    "the disk has become read-only": [system(errno.EROFS)],
    "write permission lost": [system(errno.EACCES), system(errno.EPERM)],
    "the disk or the network mount fails (EIO, ESTALE, ETIMEDOUT, ...) while something is written": [system(errno.EIO)],
    "a worker process is killed": [lambda output: RuntimeError("Channel closed prematurely.")],
    "Ctrl-C, SIGTERM": [lambda output: signals.Stopped(signal.SIGTERM)],
    "anything else": [lambda output: RuntimeError("RuntimeError: ValueError: odd [while running 'Colorize/Write']")],
}
WITHOUT_MESSAGE = {
    "the same while a scan is read",
    "a decoder's process is killed",
    "kill -9, also by the kernel when memory is short",
    r"nothing reads stdout any more (`photochrom status OUT \| head -1`)",
}


def test_every_event_of_the_table_is_tested():
    """Here, or where a test matches the longest part of its message that is the same in all cases."""
    here = ENDED.keys() | WITHOUT_MESSAGE
    assert here <= EVENTS.keys()
    tests = "".join(path.read_text() for path in pathlib.Path(__file__).parent.rglob("test_*.py"))
    assert not [event for event in EVENTS.keys() - here if constant_part(EVENTS[event][0]) not in tests]


def constant_part(message: str) -> str:
    """The longest words of a cell without placeholders; of "as for EVENT" those of that event."""
    if message.startswith("as for "):
        (message,) = (
            other for event, (other, _) in EVENTS.items() if event.startswith(message.removeprefix("as for "))
        )
    parts = re.split(r"[,:;()]|\.\.\.|\b(?:OUT|PATH|STEP|N)\b", re.search("`(.+?)`", message)[1])
    return max((part.strip() for part in parts), key=len)


@pytest.mark.parametrize(("event", "raised"), [(event, one) for event, made in ENDED.items() for one in made])
def test_fault_ends_with_the_message_of_the_table(event, raised, tmp_path, capsys):
    def run(argv):
        raise raised(tmp_path)

    status = cli.call(run, [f"--output={tmp_path}"])
    message, result = EVENTS[event]
    line = capsys.readouterr().err.splitlines()[-1].removeprefix("photochrom: ").replace("; what is done is kept", "")
    assert pattern(message.replace("; what is done is kept", ""), tmp_path).match(line), line
    assert str(status) in re.findall(r"\d+", result)


def test_unreadable_scan_is_the_row_of_the_table():
    with pytest.raises(errors.ReadError) as found:
        member_reader.read(Source("a.jpg", "/proc/self/mem"))  # a read of its first bytes is EIO
    assert f"`{found.value.reason}`" in EVENTS["the same while a scan is read"][0]


def test_scan_of_a_killed_decoder_is_retried():
    guarded, data = decoder.Decoder(1_000_000, 60), mutations.seeds()["gray.jpg"]
    before = guarded.decode(data)
    for pid in pool.helper_pids():
        os.kill(pid, signal.SIGKILL)
    np.testing.assert_array_equal(guarded.decode(data).pixels, before.pixels)
    assert "retried in a new process" in EVENTS["a decoder's process is killed"][0]
