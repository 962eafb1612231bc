"""Trains the same network in f32 and in bf16 from the same seeds, and compares the mean loss of the last 50 steps.

    python3 bench/precision.py --program build/release/autodidact --data cifar100:DIR --out runs/precision -- --width 16

What stands behind -- goes to `autodidact train`. A run that is there already, by the same
command, is not made again.
"""

import argparse
import json
import pathlib
import statistics
import subprocess

LOGGED = 50  # metrics.jsonl has a row every 50 steps: the means of the steps since the row before


def last_loss(arguments, precision, seed):
    run = arguments.out / f"{precision}-{seed}"
    rows = run / "metrics.jsonl"
    command = [arguments.program, "train", "--data", arguments.data, "--out", str(run), "--overwrite", "--seed", str(seed)]
    command += ["--precision", precision, "--max-steps", str(arguments.steps), "--no-validation", *arguments.rest]
    made, how = arguments.out / f"{precision}-{seed}.json", json.dumps(command)  # written when the run has ended
    if not (rows.exists() and made.exists() and made.read_text() == how):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        made.write_text(how)
    for line in rows.read_text().splitlines():
        row = json.loads(line)
        if row["step"] == arguments.steps and row["kind"] == "steps":  # "epoch" and "cut" are of other steps
            return row["loss"]
    raise SystemExit(f"{rows} has no row of the {LOGGED} steps up to {arguments.steps}: they must lie inside the first epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("rest", nargs="*", help="options of train, behind --")
    arguments = parser.parse_args()
    if arguments.steps % LOGGED:
        parser.error(f"--steps must be a multiple of {LOGGED}")

    seeds = range(1, arguments.seeds + 1)
    losses = {"f32": [], "bf16": []}
    for seed in seeds:  # in turn, so that a part of the runs is of use too
        for precision, list_of_losses in losses.items():
            list_of_losses.append(last_loss(arguments, precision, seed))
            print(f"{precision} seed {seed}: {list_of_losses[-1]:.4f}", flush=True)
    print(f"\n| mean loss over steps {arguments.steps - LOGGED + 1}–{arguments.steps} | " + " | ".join(f"seed {s}" for s in seeds) + " | mean |")
    print("|---|" + "---|" * (len(seeds) + 1))
    for precision, all_losses in losses.items():
        print(f"| {precision} | " + " | ".join(f"{loss:.4f}" for loss in all_losses) + f" | {statistics.mean(all_losses):.4f} |")
    ratio = statistics.mean(losses["bf16"]) / statistics.mean(losses["f32"])
    print(f"\nbf16 over f32: {100 * (ratio - 1):+.2f} %")


main()
