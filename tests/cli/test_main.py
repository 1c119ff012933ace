import pytest

from bpr.cli.main import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "example:" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["polish"])
    assert stop.value.code == 2


def test_a_defect_is_one_line_and_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(path: str) -> list[dict[str, object]]:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr("bpr.formats.coco.read_results", broken)
    arguments = ["refine", "results.json", "--img-dir", "images", "--out", "out.json"]
    assert main(arguments) == 1
    assert capsys.readouterr().err == "bpr refine: ZeroDivisionError: first line second line; --debug shows where\n"
    assert main([*arguments, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(path: str) -> list[dict[str, object]]:
        raise KeyboardInterrupt

    monkeypatch.setattr("bpr.formats.coco.read_results", stopped)
    assert main(["refine", "results.json", "--img-dir", "images", "--out", "out.json"]) == 1
    assert capsys.readouterr().err == "bpr refine: interrupted\n"
