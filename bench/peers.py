"""Runs autodidact's and PyTorch's training step in turn and prints the ratios of their medians.

Every round runs `autodidact bench step` once for each precision and then bench/peer/step.py once for each mode, each in
a process of its own, so that a neighbour who is busy for a while slows all of them down alike. Each process gives the
median of its steps; printed are the median, the smallest and the largest of those over the rounds, and ours divided by
theirs: ours of the same precision, or the first, where that was not run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PEER = Path(__file__).resolve().parent / "peer" / "step.py"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the program autodidact")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that can import torch")
    parser.add_argument(
        "--modes", nargs="+", default=["eager-f32"], help="of PyTorch: eager-f32 eager-bf16 compile-f32 compile-bf16"
    )
    parser.add_argument("--precision", nargs="+", default=["f32"], help="of autodidact: f32 bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each process")
    parser.add_argument("--threads", type=int, default=2)
    for option, default in (("model", "resnet18"), ("batch", 128), ("width", 64), ("classes", 100), ("side", 32)):
        parser.add_argument(f"--{option}", type=type(default), default=default)
    parser.add_argument("--recipe", default="seed")
    parser.add_argument("--json", type=Path, help="also write every result to this file")
    return parser.parse_args()


def run(command: list[str]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        done = subprocess.run([*command, "--json", str(file)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"peers: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return json.loads(file.read_text())


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    same = []
    for name in ("model", "batch", "width", "classes", "side", "recipe", "threads", "steps"):
        same += [f"--{name}", str(getattr(options, name))]
    made = {f"autodidact {own}": [options.program, "bench", "step", *same, "--precision", own] for own in options.precision}
    for mode in options.modes:
        how, _, precision = mode.partition("-")
        made[f"PyTorch {how} {precision}"] = [options.python, str(PEER), *same, "--mode", how, "--precision", precision]
    return made


def main() -> None:
    options = parse()
    programs = commands(options)
    results: dict[str, list[dict]] = {name: [] for name in programs}
    for done in range(1, options.rounds + 1):
        for name, command in programs.items():
            results[name].append(run(command))
            print(f"round {done}: {name} {results[name][-1]['median_s']:.4f} s", file=sys.stderr)
    medians = {name: [result["median_s"] for result in rounds] for name, rounds in results.items()}
    ours = {name.split()[-1]: statistics.median(seconds) for name, seconds in medians.items() if name.startswith("autodidact")}
    print(f"{options.model}, batch {options.batch}, {options.threads} threads, {options.rounds} rounds in turn")
    print(f"{'':<24} {'median s':>9} {'smallest':>9} {'largest':>9} {'ours / it':>10}")
    for name, seconds in medians.items():
        middle = statistics.median(seconds)
        mine = ours.get(name.split()[-1], next(iter(ours.values())))
        print(f"{name:<24} {middle:9.4f} {min(seconds):9.4f} {max(seconds):9.4f} {mine / middle:10.3f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
