"""Tokens that llama.cpp gives by each of its named rules for cutting texts.

Writes gguf/cutting.json: tokens and merges of a vocabulary that was learned from uncut text, so that every cut shows,
texts, and llama.cpp's ids of the texts for each name of `tokenizer.ggml.pre`. Needs llama-cpp-python 0.3.36; without it
the fixture is left as it is.
"""

import json
import pathlib
import sys
import tempfile

import gguf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

try:
    from llama_cpp import Llama
except ImportError:
    print("llama-cpp-python is not installed: gguf/cutting.json is left as it is")
    sys.exit()

NAMES = ["default", "gpt-2", "olmo", "phi-2", "mpt", "smollm", "starcoder", "refact", "command-r", "codeshell", "llama-bpe",
         "llama3", "llama-v3", "dbrx", "smaug-bpe", "qwen2", "deepseek-r1-qwen", "deepseek-llm", "deepseek-coder",
         "deepseek-v3"]
TEXTS = ["The router was 1,024 tokens wide.  It's O'Neill's 3rd try; they'll see, WE'LL see!",
         "\tdef f(x): return x**2  # größer als 99%\r\n\n   Straße — \"naïve\" café",
         "x = [1234567, 3.14159, -0.5e-10]   trailing   ", "a.b...c != d <= e+f=g ^h |i~ $5`j` {k}",
         "東京 2026年、日本語。ひらがな カタカナ 中文!x", "12 123 1234 12345 123456 ½23 x1y22z333",
         "Привет, мир! Ωμέγα ﬁn ＡＢＣ！ עברית हिन्दी", " \n \n  x\n\n\ny  \t z ", "''' \"q\" 'S 'RE 'll'm"]

trainer = trainers.BpeTrainer(vocab_size=900, min_frequency=1, show_progress=False,
                              initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
model = Tokenizer(models.BPE())
model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
model.train_from_iterator([t[i:i + 24] for t in TEXTS for i in range(0, len(t), 7)], trainer)
saved = json.loads(model.to_str())["model"]
tokens = sorted(saved["vocab"], key=saved["vocab"].get)
merges = [" ".join(m) for m in saved["merges"]]
ids = {}
for name in NAMES:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vocabulary.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(name)
        writer.add_token_list(tokens)
        writer.add_token_types([1] * len(tokens))
        writer.add_token_merges(merges)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        llama = Llama(str(path), vocab_only=True, verbose=False)
        ids[name] = [llama.tokenize(t.encode(), add_bos=False, special=False) for t in TEXTS]
        del llama
text = json.dumps({"tokens": tokens, "merges": merges, "texts": TEXTS, "ids": ids}, ensure_ascii=False)
(pathlib.Path("gguf") / "cutting.json").write_text(text + "\n")
