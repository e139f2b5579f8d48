"""colorize with --c2pa_cert: whole runs, resumed and verified."""

import io
import pathlib

import pytest

from photochrom import cli
from tests.support import certificates, runs

c2pa = pytest.importorskip("c2pa", reason="the extra `c2pa` has it")
pytestmark = pytest.mark.job  # whole jobs


@pytest.fixture
def signing(tmp_path) -> list[str]:
    chain, key = certificates.write(tmp_path / "signer")
    return [f"--c2pa_cert={chain}", f"--c2pa_key={key}"]


def test_signed_run_resumes_and_verifies(tint, gray_folder, tmp_path, signing):
    output, folder = tmp_path / "out", gray_folder / "box1"
    first = runs.colorize(tint, output, folder, flags=signing)
    for row in first.rows.values():
        data = (output / row["output"]).read_bytes()
        with c2pa.Reader(f"image/{row['format'].lower()}", io.BytesIO(data)) as reader:
            assert reader.get_validation_state() == "Valid"
    renewed = certificates.write(tmp_path / "renewed")
    again = runs.colorize(tint, output, folder, flags=[f"--c2pa_cert={renewed[0]}", f"--c2pa_key={renewed[1]}"])
    assert again.work[2] == 0 and again.tree == first.tree
    assert cli.main(["verify", str(output)]) == 0
    lost = next(iter(first.rows.values()))
    (output / lost["output"]).unlink()
    mended = runs.colorize(tint, output, folder, flags=signing)
    assert mended.work[2] == 1 and cli.main(["verify", str(output)]) == 0
    unsigned = runs.colorize(tint, output, folder)  # other settings: each copy is made again
    assert unsigned.work[2] == 2
    key = pathlib.Path(signing[1].partition("=")[2]).read_bytes().splitlines()[1]
    assert not any(key in path.read_bytes() for path in output.rglob("*") if path.is_file())


def test_flags_are_needed_together(tint, gray_folder, tmp_path, signing, capsys):
    argv = ["colorize", f"--model={tint}", f"--input={gray_folder}", f"--output={tmp_path / 'out'}"]
    assert cli.main([*argv, signing[0]]) == 2
    assert "--c2pa_cert and --c2pa_key are needed together" in capsys.readouterr().err
    assert cli.main([*argv, *signing, f"--c2pa_key={tmp_path}/none.pem"]) == 2
    assert "none.pem" in capsys.readouterr().err and not (tmp_path / "out").exists()
