"""Reads a run directory's event file with TensorBoard's own reader and compares it with metrics.jsonl, number by number.

    check_tensorboard.py RUN...

Every point must be there once, at its step, and nothing else; exit code 1 where that is not so. Needs `pip install tensorboard`.
"""

import json
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

LOSSES = {"loss": "total", "loss_ce": "ce", "loss_soft": "soft", "loss_feature": "feature",
          "gradient_norm": "gradient_norm", "clipped": "clipped"}


def points(row):
    """(tag, value) of a row, as train/tensorboard.hpp lists them."""
    if row["kind"] == "stopped":
        return
    judged = row["kind"] in ("epoch", "cut")
    loss, accuracy = ("epoch_loss", "accuracy") if judged else ("loss", "accuracy_training")
    for key, name in LOSSES.items():
        yield f"{loss}/{name}", row[key]
    for term in ("ce", "soft", "feature"):
        for k, value in enumerate(row[f"loss_{term}_exits"], 1):
            yield f"{loss}_{term}/exit{k}", value
    for k, value in enumerate(row["exits"], 1):
        yield f"{accuracy}/exit{k}", value
    yield f"{accuracy}/ensemble", row["ensemble"]
    if row["kind"] != "cut":
        yield "learning_rate", row["lr"]
        yield "images_per_s", row["images_per_s"]


def as_float(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def check(run):
    wanted = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for tag, value in points(row):
            if value is not None:
                wanted.setdefault(tag, []).append((row["step"], as_float(value), row["time"]))
    reader = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    found = {tag: [(e.step, e.value, e.wall_time) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    if found == wanted:
        print(f"{run}: {len(found)} curves, {sum(map(len, found.values()))} points, as in metrics.jsonl")
        return True
    for tag in sorted(set(found) | set(wanted)):
        if found.get(tag) != wanted.get(tag):
            print(f"{run}: {tag}: TensorBoard reads {found.get(tag)}, metrics.jsonl has {wanted.get(tag)}")
    return False


if __name__ == "__main__":
    sys.exit(0 if all([check(pathlib.Path(run)) for run in sys.argv[1:]]) and len(sys.argv) > 1 else 1)
