"""The ``bpr`` command; every ``tools/NAME.py`` runs one of its subcommands."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Container, Sequence
from typing import Any, NoReturn

import bpr
from bpr.cli.renamed import instead_of
from bpr.cli.streams import Stream, guarded_streams
from bpr.errors import BadUsage, BPRError, did_you_mean

# Read when OpenCV is loaded, here and in child processes: its warnings would break into the line that names a damaged file.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

GROUPS = {
    "refine and look": {
        "refine": "refine masks: COCO, LVIS, panoptic, Cityscapes, PNGs, YOLO",
        "merge": "write the output of a run that was refined in shards",
        "convert": "write masks in another format",
        "apply": "put back the masks that a person undid in a report",
        "demo": "refine painted scenes, print before and after, draw them",
        "app": "serve a page to try the refiner on a photo and a mask",
        "report": "write an HTML report of what refinement changed",
        "cvat": "refine the polygons and masks of a task on a CVAT server",
        "doctor": "say what is installed, what runs it, and what conflicts",
    },
    "measure": {
        "eval": "score masks against ground truth, before and after",
        "analyze": "the paper's analyses: upper bound, failures, timing, ...",
    },
    "train": {
        "train": "fine-tune a model on your images, or train from a config",
        "extract-patches": "cut training patches from detections and ground truth",
        "export": "export a trained checkpoint to ONNX, which needs no torch",
        "detect": "detect with a model of MMDetection, then refine",
    },
}
"""The commands and their one-line help. A command's module, ``bpr.cli.NAME``, is imported when the command is used."""
COMMANDS = {name: line for commands in GROUPS.values() for name, line in commands.items()}
DEBUG = "show the traceback of an error"

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes; 130 is the code that shells report for a command that Ctrl-C ended."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and a hint.

    It takes no abbreviated options, because a new option could make an abbreviation ambiguous.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)
        self.set_defaults(parser=self)  # the parser of the command whose words they are

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, others = self.parse_known_args(args, namespace)
        if others:
            parsed.parser.refuse(others[0])
        return parsed

    def refuse(self, word: str) -> NoReturn:
        """End with the error that ``word`` is none of this parser's."""
        kind = "an option of the command" if word.startswith("-") else "no further argument"
        hint = instead_of(self.prog, word) or did_you_mean(word.partition("=")[0], self._option_string_actions)
        self.error(f"expected {kind}, got {word}{hint}")

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}\n{self.prog} --help shows what it takes, with an example\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            if instead := instead_of(self.prog, str(value)):
                raise argparse.ArgumentError(None, f"expected a command, got {value}{instead}")
            names = list(map(str, action.choices))
            guess = did_you_mean(str(value), names)
            raise argparse.ArgumentError(action, f"expected one of {', '.join(names)}, got {value!r}{guess}")


def build_parser(words: Container[str] = COMMANDS) -> Parser:
    """The parser of ``bpr``. Only commands in ``words`` get their options, because adding these imports the modules."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="bpr", description=_overview(), formatter_class=layout)
    parser.add_argument("--version", action="version", version=f"bpr {bpr.__version__}")
    parser.add_argument("--debug", action="store_true", help=DEBUG)
    hint = "one of the above; bpr COMMAND --help shows its options and an example"
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", help=hint)
    for name, line in COMMANDS.items():
        command = subparsers.add_parser(name, description=line, formatter_class=layout)
        if name in words:
            module = importlib.import_module(f"bpr.cli.{name.replace('-', '_')}")
            module.add_arguments(command)
            # Without a default: a default would replace the value of a --debug before the command.
            command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=DEBUG)
            command.set_defaults(run=module.run)
            command.usage = _usage(command)
            examples = module.EXAMPLE.splitlines()
            command.epilog = "\n  ".join(["example:" if len(examples) == 1 else "examples:", *examples])
    return parser


def _usage(parser: argparse.ArgumentParser) -> str:
    """What a command needs; its other options stand below in the help."""
    words = [action for action in parser._actions if action.required]
    named = [[*action.option_strings[:1], str(action.metavar or action.dest).upper()] for action in words]
    return " ".join([parser.prog, *(word for words in named for word in words), "[options]"])


def _overview() -> str:
    lines = ["Any instance masks in, better boundaries out."]
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:16} {line}" for name, line in commands.items())]
    return "\n".join(lines)


def entry(*words: str) -> None:
    """Console entry point; a script of ``tools/`` gives the words before those of the command line."""
    sys.exit(main([*words, *sys.argv[1:]]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Returns:
        0: done. 1: the run failed, and one line on stderr says why. 2: wrong usage. 130: interrupted.
    """
    with guarded_streams() as out:
        try:
            given = sys.argv[1:] if argv is None else argv
            completed = os.environ.get("COMP_LINE", "").split()  # the line that argcomplete has to complete
            parser = build_parser([*given, *completed])
            if importlib.util.find_spec("argcomplete"):
                importlib.import_module("argcomplete").autocomplete(parser)
            args = parser.parse_args(given)
            if args.command is None:
                parser.print_help(sys.stderr)
                return USAGE
        except (ImportError, KeyboardInterrupt) as error:
            return _report_failure("bpr", error)
        return run_parsed(f"bpr {args.command}", args, out)


def run_script(parser: argparse.ArgumentParser, run: Callable[..., Any], argv: Sequence[str] | None = None) -> int:
    """Run a script of ``tools/`` as :func:`main` runs a command, with the same exit codes.

    Args:
        run: takes the parsed arguments.
    """
    parser.add_argument("--debug", action="store_true", help=DEBUG)
    parser.set_defaults(run=run)
    args = parser.parse_args(argv)
    with guarded_streams() as out:
        return run_parsed(parser.prog, args, out)


def run_parsed(program: str, args: argparse.Namespace, out: Stream) -> int:
    """Run ``args.run`` and return the exit code of ``program``; an error is printed as one line.

    Args:
        out: the standard output within :func:`guarded_streams`.
    """
    try:
        from bpr.cli.paths import check_paths

        check_paths(args)
        code = int(args.run(args) or 0)
    except (Exception, KeyboardInterrupt) as error:
        if args.debug:
            traceback.print_exc()
        code = _report_failure(program, error)
    out.flush()
    if not out.failure:
        return code
    problem = f"standard output: cannot write ({out.failure}); free some space, or redirect it"
    print(f"{program}: {problem}", file=sys.stderr)
    return code or FAILED


def _report_failure(program: str, error: BaseException) -> int:
    """Print one line about why a command ended; returns its exit code."""
    interrupted = _is_interrupt(error)
    print(f"{program}: {'interrupted' if interrupted else _line(error)}", file=sys.stderr)
    return INTERRUPTED if interrupted else USAGE if isinstance(error, BadUsage) else FAILED


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused ``error``; a compiled library that is interrupted while it loads raises an ImportError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _line(error: BaseException) -> str:
    """The text for the user. Any error that is not a BPRError is a bug in BPR or in a library."""
    if isinstance(error, BPRError):
        return str(error)
    remedy = "bpr doctor shows what is installed" if isinstance(error, ImportError) else "--debug shows where"
    return f"{type(error).__name__}: {' '.join(str(error).split())}; {remedy}"
