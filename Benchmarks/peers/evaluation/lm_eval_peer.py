"""lm-evaluation-harness on local data: the reference of 'switchyard evaluate'.

    python lm_eval_peer.py MODEL DATA OUT [--tasks A,B] [--shots N] [--limit N] [--batch N] [--threads N]

MODEL is a folder that transformers opens; DATA has the layout of Documentation/evaluation.md. The harness's own task
files are used; only the places of their data are replaced. OUT receives samples_TASK.jsonl, as the harness logs
samples, results.json, and in it the seconds that scoring took. Requirements: requirements.txt beside this file, in an
environment of its own.
"""

import argparse
import bz2
import csv
import json
import pathlib
import re
import time

import lm_eval
import lm_eval.tasks
import pyarrow.parquet
import torch
from lm_eval.models.huggingface import HFLM

YAML = pathlib.Path(lm_eval.tasks.__file__).parent


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def winogrande(data):
    def rows(split):
        path = data / f"winogrande/winogrande_xl_{split}.parquet"
        return pyarrow.parquet.read_table(path).to_pylist() if path.exists() else None
    return rows("validation"), rows("train")


def copa(data):
    def row(item):
        premise, connector = re.fullmatch(r"(.*), (because|therefore)", item["query"]).groups()
        first, second = item["choices"]
        return {"premise": premise + ".", "choice1": first, "choice2": second,
                "question": "cause" if connector == "because" else "effect", "label": item["gold"]}
    return [row(item) for item in lines(data / "llm-foundry/copa.jsonl")], None


def openbookqa(data):
    return [{"question_stem": item["query"], "choices": {"text": item["choices"], "label": list("ABCD")},
             "answerKey": "ABCD"[item["gold"]]} for item in lines(data / "llm-foundry/openbook_qa.jsonl")], None


def hellaswag(data):
    text = bz2.decompress((data / "hellaswag/hellaswag_val_full.txt.bz2").read_bytes()).decode().splitlines()
    rows = []
    for place in range(0, len(text), 6):
        activity, context = text[place].split(": ", 1)
        head, stop, last = context.rpartition(". ")
        # The harness capitalizes the last fragment, of which this copy keeps the lower case.
        rows.append({"activity_label": activity, "ctx_a": head + stop.rstrip(), "ctx_b": last,
                     "endings": text[place + 2:place + 6], "label": text[place + 1]})
    return rows, None


def piqa(data):
    labels = (data / "piqa/valid-labels.lst").read_text().split()
    return [{**item, "label": int(label)} for item, label in zip(lines(data / "piqa/valid.jsonl"), labels)], None


def arc(data, name):
    def row(item):
        return {"question": item["query"].removeprefix("Question: "),
                "choices": {"text": item["choices"], "label": list("ABCDE")[:len(item["choices"])]},
                "answerKey": "ABCDE"[item["gold"]]}
    return [row(item) for item in lines(data / f"llm-foundry/{name}.jsonl")], None


def boolq(data):
    def row(item):
        passage, question = item["query"].removeprefix("Passage: ").rsplit("\nQuestion: ", 1)
        return {"passage": passage, "question": question.removesuffix("?"), "label": item["gold"]}
    return [row(item) for item in lines(data / "llm-foundry/boolq.jsonl")], None


def lambada(data):
    return [{"text": item["context"] + " " + item["continuation"]}
            for item in lines(data / "llm-foundry/lambada_openai.jsonl")], None


def mmlu(data, subject):
    def rows(split):
        with open(data / f"mmlu/{split}/{subject}_{split}.csv", newline="") as file:
            return [{"question": row[0], "choices": row[1:5], "answer": "ABCD".index(row[5]), "subject": subject}
                    for row in csv.reader(file)]
    return rows("test"), rows("dev")


# Name of the task, its file in the harness, the split that is evaluated, and who reads its rows.
TASKS = {
    "winogrande": ("winogrande/default.yaml", "validation", winogrande),
    "copa": ("super_glue/copa/default.yaml", "validation", copa),
    "openbookqa": ("openbookqa/openbookqa.yaml", "test", openbookqa),
    "hellaswag": ("hellaswag/hellaswag.yaml", "validation", hellaswag),
    "piqa": ("piqa/piqa.yaml", "validation", piqa),
    "arc_easy": ("arc/arc_easy.yaml", "test", lambda data: arc(data, "arc_easy")),
    "arc_challenge": ("arc/arc_challenge.yaml", "test", lambda data: arc(data, "arc_challenge")),
    "boolq": ("super_glue/boolq/default.yaml", "validation", boolq),
    "lambada": ("lambada/lambada_openai.yaml", "test", lambda data: lambada(data)),
}


def configuration(name, file, split, rows, shots, folder):
    """The harness's task with data from `rows`: those to evaluate, and those to take examples from."""
    import yaml
    items, examples = rows
    files = {split: str(folder / f"{name}-items.jsonl")}
    for kind, content in (("items", items), ("examples", examples)):
        if content is not None:
            (folder / f"{name}-{kind}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    change = {"include": str(YAML / file), "task": f"local_{name}", "dataset_path": "json", "dataset_name": None,
              "num_fewshot": shots, "training_split": None, "validation_split": None, "test_split": None}
    change[f"{split}_split"] = split
    if examples is not None:
        place = "dev" if "mmlu" in file else "training"
        files[place] = str(folder / f"{name}-examples.jsonl")
        if place == "training":
            change["training_split"] = "training"
    change["dataset_kwargs"] = {"data_files": files}
    change["tag"] = None
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(change))
    return f"local_{name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model"), parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    names = []
    for task in options.tasks.split(","):
        if task.startswith("mmlu_"):
            subject = task.removeprefix("mmlu_")
            entry = (f"mmlu/default/{task}.yaml", "test", lambda data, subject=subject: mmlu(data, subject))
        else:
            entry = TASKS[task]
        file, split, reader = entry
        names.append(configuration(task, file, split, reader(options.data), options.shots, options.out))
    manager = lm_eval.tasks.TaskManager(include_path=str(options.out), include_defaults=False)
    model = HFLM(pretrained=options.model, dtype="float32", device="cpu", batch_size=options.batch)
    seconds = {}
    scored = model.loglikelihood

    def timed(requests, **more):
        start = time.perf_counter()
        answers = scored(requests, **more)
        seconds["all"] = seconds.get("all", 0) + time.perf_counter() - start
        return answers

    model.loglikelihood = timed
    result = lm_eval.simple_evaluate(model, tasks=names, task_manager=manager, limit=options.limit,
                                     bootstrap_iters=0 if options.limit else 100)
    for name, samples in result["samples"].items():
        with open(options.out / f"samples_{name.removeprefix('local_')}.jsonl", "w") as file:
            for sample in samples:
                file.write(json.dumps(sample, default=str) + "\n")
    summary = {"seconds": seconds["all"], "items": sum(len(s) for s in result["samples"].values()),
               "results": result["results"], "harness": lm_eval.__version__, "batch": options.batch}
    (options.out / "results.json").write_text(json.dumps(summary, indent=1, default=str))
    print(json.dumps(summary, default=str))


main()
