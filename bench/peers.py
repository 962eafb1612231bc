"""Runs autodidact's and PyTorch's training step in turn and prints the ratios of their medians.

Every round runs `autodidact bench step` once for each precision and then bench/peer/step.py once for each mode, each in
a process of its own, so that a neighbour who is busy for a while slows all of them down alike. Each process gives the
median of its steps; printed are the median, the smallest and the largest of those over the rounds, ours divided by
theirs of the same precision (of the medians, and the smallest and the largest of one round), and the peak memory.
What fails is named with the last line of its error and left out, and the rest goes on; exit code 1 if nothing is left.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PEER = Path(__file__).resolve().parent / "peer" / "step.py"
MODES = [f"{how}-{precision}" for precision in ("f32", "bf16") for how in ("eager", "compile", "ipex")]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the program autodidact")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that can import torch")
    parser.add_argument("--ipex-python", help="one that can import intel_extension_for_pytorch (that of --python)")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES, metavar="MODE", help=f"of PyTorch: {' '.join(MODES)} (all)")
    parser.add_argument("--precision", nargs="+", choices=("f32", "bf16"), default=["f32", "bf16"], help="of autodidact (both)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each process")
    parser.add_argument("--threads", type=int, default=2)
    for option, default in (("model", "resnet18"), ("batch", 128), ("width", 64), ("classes", 100), ("side", 32)):
        parser.add_argument(f"--{option}", type=type(default), default=default)
    parser.add_argument("--recipe", default="seed")
    parser.add_argument("--json", type=Path, help="also write every result to this file, after each round")
    return parser.parse_args()


class Failed(Exception):
    """The line in which a process said why."""


def run(command: list[str]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        try:
            done = subprocess.run([*command, "--json", str(file)], capture_output=True, text=True)
        except OSError as error:
            raise Failed(str(error)) from error
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
            # PyTorch puts advice behind its error: "NAME: sentence" comes before any other last line.
            reasons = [line for line in lines if re.match(r"[\w.]+: ", line)]
            raise Failed(f"exit code {done.returncode}: {(reasons or lines)[-1]}")
        return json.loads(file.read_text())


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    same = []
    for name in ("model", "batch", "width", "classes", "side", "recipe", "threads", "steps"):
        same += [f"--{name}", str(getattr(options, name))]
    made = {f"autodidact {own}": [options.program, "bench", "step", *same, "--precision", own] for own in options.precision}
    for mode in options.modes:
        how, _, precision = mode.partition("-")
        python = options.ipex_python or options.python if how == "ipex" else options.python
        made[f"PyTorch {how} {precision}"] = [python, str(PEER), *same, "--mode", how, "--precision", precision]
    return made


def write(file: Path | None, results: dict, left_out: dict) -> None:
    """Whoever reads sees the whole old file or the whole new one."""
    if file:
        aside = file.with_name(f".{file.name}.partial-{os.getpid()}")
        aside.write_text(json.dumps({"results": results, "left_out": left_out}, indent=2) + "\n")
        aside.replace(file)


def print_table(results: dict[str, list[dict]]) -> None:
    print(f"{'':<22} {'median s':>9} {'smallest':>9} {'largest':>9} {'ours / it':>10} {'smallest':>9} {'largest':>9} {'peak MB':>9}")
    for name, rounds in results.items():
        seconds = [result["median_s"] for result in rounds]
        ratios = f"{'–':>10} {'–':>9} {'–':>9}"
        if ours := [result["median_s"] for result in results.get(f"autodidact {name.split()[-1]}", [])]:
            of_rounds = [mine / its for mine, its in zip(ours, seconds)]
            ratio = statistics.median(ours) / statistics.median(seconds)
            ratios = f"{ratio:10.3f} {min(of_rounds):9.3f} {max(of_rounds):9.3f}"
        peak = max(result["peak_rss_bytes"] for result in rounds) / 1e6
        print(f"{name:<22} {statistics.median(seconds):9.4f} {min(seconds):9.4f} {max(seconds):9.4f} {ratios} {peak:9.0f}")


def main() -> int:
    options = parse()
    programs = commands(options)
    results: dict[str, list[dict]] = {name: [] for name in programs}
    left_out: dict[str, str] = {}
    write(options.json, results, left_out)  # a file that cannot be written is known before the first round
    for done in range(1, options.rounds + 1):
        for name in list(results):
            try:
                results[name].append(run(programs[name]))
                print(f"round {done}: {name} {results[name][-1]['median_s']:.4f} s", file=sys.stderr)
            except Failed as failure:
                del results[name]
                left_out[name] = str(failure)
                print(f"round {done}: {name} is left out: {failure}", file=sys.stderr)
        write(options.json, results, left_out)
    print(f"{options.model}, batch {options.batch}, {options.threads} threads, {options.rounds} rounds in turn")
    print_table(results)
    for name, failure in left_out.items():
        print(f"{name:<22} left out: {failure}")
    return 0 if results else 1


if __name__ == "__main__":
    sys.exit(main())
