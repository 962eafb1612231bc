"""Reads `autodidact plan --time N --json -` and prints the time of its tasks by pass and algorithm, largest first."""

import collections
import json
import sys

sums = collections.Counter()
for task in json.load(sys.stdin)["tasks"]:
    sums[task["pass"], task["algorithm"]] += task["measured_ms"] or 0
total = sum(sums.values())
for (name, algorithm), ms in sums.most_common():
    print(f"{name:<18} {algorithm:<10} {ms:10.1f} ms {100 * ms / total:6.1f} %")
