"""switchyard evaluate and lm-evaluation-harness on the same questions, in turns: items per second, and equal choices.

    python beside.py SWITCHYARD MODEL FOLDER DATA [--tasks A,B] [--limit N] [--rounds N] [--batches 8,32] [--threads N]

Ends with 1 if a bar is missed. MODEL is what switchyard opens, FOLDER the same weights as a folder that transformers opens. Scoring is timed without
opening the model on the harness's side, and with it on ours.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TASKS = "winogrande,copa,openbookqa,hellaswag,piqa,arc_easy,arc_challenge,boolq,lambada"
# The least fraction of equal choices, the largest difference of a log-likelihood, the least ratio of speeds.
BARS = 0.995, 1e-3, 2.0


def samples(folder, task):
    return [json.loads(line) for line in (folder / f"samples_{task}.jsonl").read_text().splitlines()]


def compared(task, ours, theirs):
    """Questions, those with the same choice, and the largest difference of a log-likelihood."""
    same, largest = 0, 0.0
    for own, other in zip(samples(ours, task), samples(theirs, task), strict=True):
        found = [float(score) for score, _ in own["filtered_resps"]]
        expected = [score for score, _ in other["filtered_resps"]]
        requests = [[own["arguments"][f"gen_args_{i}"][f"arg_{j}"] for j in (0, 1)] for i in range(len(found))]
        if requests != [list(pair) for pair in other["arguments"]]:
            sys.exit(f"{task}: question {own['doc_id']} is worded differently")
        greedy = [flag == "True" for _, flag in own["filtered_resps"]] == [flag for _, flag in other["filtered_resps"]]
        # What a single choice is asked is whether the model would say it.
        same += found.index(max(found)) == expected.index(max(expected)) if len(found) > 1 else greedy
        largest = max(largest, max(abs(a - b) for a, b in zip(found, expected)))
    return len(samples(ours, task)), same, largest


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("switchyard", "model", "folder", "data"):
        parser.add_argument(name)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--limit", default="200")
    parser.add_argument("--shots", default="0")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", default="8,32")
    parser.add_argument("--threads", default="2")
    options = parser.parse_args()
    common = ["--tasks", options.tasks, "--limit", options.limit, "--shots", options.shots, "--threads", options.threads]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as work:
        times = {}
        for turn in range(options.rounds):
            ours = pathlib.Path(work) / f"ours-{turn}"
            start = time.perf_counter()
            subprocess.run([options.switchyard, "evaluate", options.model, "--data", options.data, "--out", ours, "--dtype", "f32", *common],
                           check=True, stdout=subprocess.DEVNULL)
            times.setdefault("switchyard", []).append(time.perf_counter() - start)
            for batch in options.batches.split(","):
                theirs = pathlib.Path(work) / f"theirs-{turn}-{batch}"
                subprocess.run([sys.executable, HERE / "lm_eval_peer.py", options.folder, options.data, theirs, *common,
                                "--batch", batch], check=True, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
                summary = json.loads((theirs / "results.json").read_text())
                times.setdefault(f"lm-eval {summary['harness']}, batch {batch}", []).append(summary["seconds"])
        [folder] = [path for path in ours.iterdir() if path.is_dir()]
        items = sum(len(samples(folder, task)) for task in options.tasks.split(","))
        medians = {name: statistics.median(seconds) for name, seconds in times.items()}
        for name, seconds in medians.items():
            print(f"{name:28} {seconds:8.1f} s {items / seconds:8.2f} items per second")
        own = medians.pop("switchyard")
        ratio = min(medians.values()) / own
        print(f"{ratio:.2f} times the harness's speed with its best batch")
        missed = ratio < BARS[2]
        for task in options.tasks.split(","):
            count, same, largest = compared(task, folder, theirs)
            print(f"{task:28} {same} of {count} choices equal, largest difference of a log-likelihood {largest:.1e}")
            missed = missed or same < BARS[0] * count or largest > BARS[1]
        sys.exit(int(missed))


main()
