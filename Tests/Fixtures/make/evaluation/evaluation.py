"""What lm-evaluation-harness says about a tiny random Qwen3-MoE and questions of our own.

Writes evaluation/model/ (config.json, model.safetensors, tokenizer.json), evaluation/data/ (a few questions in the forms
in which data sets come) and evaluation/expected.json: requests, scores, measures and hashes of every question, by task and
number of examples, and rolling log-likelihoods of a text.
"""

import bz2
import csv
import json
import pathlib
import random
import shutil
import sys
import tempfile

import lm_eval
import lm_eval.tasks
import torch
import yaml
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3MoeConfig, Qwen3MoeForCausalLM

HERE = pathlib.Path(__file__).resolve().parents[2] / "evaluation"
YAML = pathlib.Path(lm_eval.tasks.__file__).parent
WORDS = ("the a small old river house stone apple bird tree water light walked found broke opened carried under over near "
         "quickly slowly because therefore and but then red green cold warm Anna Peter Maria John").split()
numbers = random.Random(7)


def phrase(count):
    return " ".join(numbers.choice(WORDS) for _ in range(count))


def sentence(count):
    text = phrase(count)
    return text[0].upper() + text[1:] + "."


def write_lines(name, rows):
    path = HERE / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def make_data():
    """The questions: each set in a form of its own, with accents, doubled spaces and equal choices here and there."""
    def winogrande(count):
        return [{"sentence": f"{phrase(4)} Anna and Peter, so _ {phrase(3)}.", "option1": "Anna", "option2": "Peter",
                 "answer": str(numbers.randint(1, 2))} for _ in range(count)]
    write_lines("winogrande/winogrande_xl_validation.jsonl", winogrande(6))
    write_lines("winogrande/winogrande_xl_train.jsonl", winogrande(40))

    def copa(count):
        return [{"premise": sentence(5), "choice1": sentence(4), "choice2": sentence(6),
                 "question": numbers.choice(["cause", "effect"]), "label": numbers.randint(0, 1), "idx": i}
                for i in range(count)]
    write_lines("copa/val.jsonl", copa(5))
    write_lines("copa/train.jsonl", copa(9))

    def science(count):
        rows = []
        for i in range(count):
            choices = [{"text": phrase(numbers.randint(1, 4)), "label": label} for label in "ABCD"]
            rows.append({"id": f"{i}", "question": {"stem": phrase(6) + " é  ½", "choices": choices},
                         "answerKey": numbers.choice("ABCD")})
        return rows
    for name in ("openbookqa", "arc_easy"):
        write_lines(f"{name}/test.jsonl", science(5))
        write_lines(f"{name}/train.jsonl", science(8))

    def hellaswag(count):
        return [{"ind": i, "activity_label": phrase(2), "ctx_a": f"[header] {sentence(6)} [title] {sentence(3)}",
                 "ctx_b": numbers.choice(["", phrase(2), "the Bird"]),
                 "endings": [phrase(4) + " [substeps]  " + phrase(2) for _ in range(4)],
                 "label": numbers.randint(0, 3)} for i in range(count)]
    write_lines("hellaswag/hellaswag_val.jsonl", hellaswag(5))
    write_lines("hellaswag/hellaswag_train.jsonl", hellaswag(7))

    for split, count in (("valid", 6), ("train", 30)):
        write_lines(f"piqa/{split}.jsonl", [
            {"goal": phrase(5) + "?", "sol1": sentence(5), "sol2": sentence(7)} for _ in range(count)])
        labels = "".join(f"{numbers.randint(0, 1)}\n" for _ in range(count))
        (HERE / f"data/piqa/{split}-labels.lst").write_text(labels)

    def boolq(count):
        return [{"question": phrase(5), "passage": sentence(12), "idx": i, "label": numbers.randint(0, 1) == 1}
                for i in range(count)]
    write_lines("boolq/val.jsonl", boolq(4))
    write_lines("boolq/train.jsonl", boolq(6))
    write_lines("lambada/lambada_openai_test.jsonl", [{"text": f"{sentence(9)} {phrase(3)}"} for _ in range(6)])

    # The set with a line per question in six lines, with "the he of" fragments in lower case.
    lines = []
    for _ in range(3):
        lines += [f"{phrase(2)}: {sentence(5)} {phrase(2)}", str(numbers.randint(0, 3))] + [phrase(4) for _ in range(4)]
    (HERE / "data/six-lines").mkdir(parents=True)
    (HERE / "data/six-lines/hellaswag_val_full.txt.bz2").write_bytes(bz2.compress(("\n".join(lines) + "\n").encode()))

    for split, count in (("test", 3), ("dev", 5)):
        folder = HERE / "data/mmlu" / split
        folder.mkdir(parents=True)
        for subject in ("anatomy", "us_foreign_policy"):
            with open(folder / f"{subject}_{split}.csv", "w", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                for _ in range(count):
                    writer.writerow([f" {phrase(6)}, \"quoted\"\nand {phrase(3)} "] + [phrase(2) for _ in range(4)]
                                    + [numbers.choice("ABCD")])


def make_model():
    """A random Qwen3-MoE with a byte-level tokenizer of 400 tokens."""
    torch.manual_seed(11)
    out = HERE / "model"
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([sentence(12) for _ in range(300)], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(out)
    (out / "tokenizer_config.json").unlink()
    config = Qwen3MoeConfig(
        vocab_size=400, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=128, initializer_range=0.25, num_experts=8,
        num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[],
        eos_token_id=0, bos_token_id=None, pad_token_id=None, tie_word_embeddings=True)
    Qwen3MoeForCausalLM(config).save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


def rows_of(name):
    return [json.loads(line) for line in (HERE / "data" / name).read_text().splitlines()]


def science_rows(name):
    """As Hugging Face's copies have them."""
    return [{"question_stem": row["question"]["stem"], "question": row["question"]["stem"],
             "choices": {"text": [c["text"] for c in row["question"]["choices"]],
                         "label": [c["label"] for c in row["question"]["choices"]]}, "answerKey": row["answerKey"]}
            for row in rows_of(name)]


def piqa_rows(split):
    labels = (HERE / f"data/piqa/{split}-labels.lst").read_text().split()
    return [{**row, "label": int(label)} for row, label in zip(rows_of(f"piqa/{split}.jsonl"), labels)]


def boolq_rows(name):
    return [{**row, "label": int(row["label"])} for row in rows_of(name)]


def mmlu_rows(split, subject):
    with open(HERE / f"data/mmlu/{split}/{subject}_{split}.csv", newline="") as file:
        return [{"question": row[0], "subject": subject, "choices": row[1:5], "answer": "ABCD".index(row[5])}
                for row in csv.reader(file)]


# Name, the harness's file, the split that is asked, its rows, those of examples and the split that these are.
TASKS = [
    ("winogrande", "winogrande/default.yaml", "validation", rows_of, "winogrande/winogrande_xl_validation.jsonl",
     "winogrande/winogrande_xl_train.jsonl"),
    ("copa", "super_glue/copa/default.yaml", "validation", rows_of, "copa/val.jsonl", "copa/train.jsonl"),
    ("openbookqa", "openbookqa/openbookqa.yaml", "test", science_rows, "openbookqa/test.jsonl", "openbookqa/train.jsonl"),
    ("arc_easy", "arc/arc_easy.yaml", "test", science_rows, "arc_easy/test.jsonl", "arc_easy/train.jsonl"),
    ("hellaswag", "hellaswag/hellaswag.yaml", "validation", rows_of, "hellaswag/hellaswag_val.jsonl",
     "hellaswag/hellaswag_train.jsonl"),
    ("piqa", "piqa/piqa.yaml", "validation", piqa_rows, "valid", "train"),
    ("boolq", "super_glue/boolq/default.yaml", "validation", boolq_rows, "boolq/val.jsonl", "boolq/train.jsonl"),
    ("lambada", "lambada/lambada_openai.yaml", "test", rows_of, "lambada/lambada_openai_test.jsonl", None),
] + [(f"mmlu_{subject}", f"mmlu/default/mmlu_{subject}.yaml", "test",
      lambda split, subject=subject: mmlu_rows(split, subject), "test", "dev")
     for subject in ("anatomy", "us_foreign_policy")]


def configuration(folder, entry, shots):
    name, file, split, rows, own, examples = entry
    sets = {split: rows(own)}
    change = {"include": str(YAML / file), "task": f"local_{name}", "dataset_path": "json", "dataset_name": None,
              "num_fewshot": shots, "training_split": None, "validation_split": None, "test_split": None, "tag": None,
              f"{split}_split": split}
    if examples is not None:
        place = "dev" if name.startswith("mmlu") else "training"
        sets[place] = rows(examples)
        if place == "training":
            change["training_split"] = "training"
    files = {}
    for key, content in sets.items():
        files[key] = str(folder / f"{name}-{key}.jsonl")
        pathlib.Path(files[key]).write_text("".join(json.dumps(row) + "\n" for row in content))
    change["dataset_kwargs"] = {"data_files": files}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(change))
    return f"local_{name}"


def samples(model, shots):
    """What the harness logs of each question, and its measures, by task."""
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        names = [configuration(folder, entry, shots) for entry in TASKS]
        manager = lm_eval.tasks.TaskManager(include_path=work, include_defaults=False)
        found = lm_eval.simple_evaluate(model, tasks=names, task_manager=manager, bootstrap_iters=100)
    tasks = {}
    for name in names:
        questions = [{"requests": [list(pair) for pair in sample["arguments"]],
                      "scores": [score for score, _ in sample["filtered_resps"]],
                      "greedy": [greedy for _, greedy in sample["filtered_resps"]],
                      "acc": sample["acc"], "acc_norm": sample.get("acc_norm"),
                      "hashes": [sample[key] for key in ("doc_hash", "prompt_hash", "target_hash")]}
                     for sample in found["samples"][name]]
        measures = {key.split(",")[0]: value for key, value in found["results"][name].items()
                    if key.endswith(",none") and isinstance(value, float)}
        tasks[name.removeprefix("local_")] = {"questions": questions, "measures": measures}
    return tasks


def main():
    torch.set_num_threads(1)
    shutil.rmtree(HERE, ignore_errors=True)
    make_data()
    tokenizer = make_model()
    model = HFLM(pretrained=str(HERE / "model"), tokenizer=tokenizer, dtype="float32", device="cpu", batch_size=4)
    text = " ".join(sentence(9) for _ in range(40))
    (HERE / "data/text.txt").write_text(text)
    [rolling] = model.loglikelihood_rolling(
        [Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0)])
    expected = {"harness": lm_eval.__version__, "shots": {str(shots): samples(model, shots) for shots in (0, 2)},
                "rolling": {"log_likelihood": rolling, "bytes": len(text.encode()), "words": len(text.split(" "))}}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
