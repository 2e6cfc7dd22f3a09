"""Small tokenizers of every family and what the tokenizers library makes of 5,000 lines of text.

Writes tokenizers/FAMILY.json, trained here on the sentences below, and tokenizers.safetensors:

  text, text.ends           the lines, one after another in UTF-8, and where each ends
  FAMILY/ids, .counts       ids of the first 600 lines with special tokens, and their number for each line
  FAMILY/sums               a checksum of the ids of every line
  FAMILY/decoded            checksums of the text that those ids decode to, first without special tokens, then with
  FAMILY/random, .decoded   random ids [200, 12], and the checksums of the texts that they decode to

The checksum is the lower half of 64-bit FNV-1a over the ids as little-endian u32, or over UTF-8.

  forms.text, .ends         1,500 texts of letters, marks and Korean parts
  forms                     checksums of their NFC, NFD, NFKC and NFKD by Python's unicodedata, [1500, 4]

It also trains byte-level BPEs on those lines (without <|endoftext|>) and writes tokenizers/trained-PATTERN.json exactly as
Switchyard's own trainer should write it, after the library has read that spelling; their ids are under trained-PATTERN/.

When ../shared/data/tokenizers exists beside the package, it also writes tokenizers-neox.safetensors: the same for
GPT-NeoX's own tokenizer.
"""

import json
import os
import random
import unicodedata

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

rng = random.Random(20260103)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
            r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""")

SENTENCES = """The router sends each token to the expert that scored highest, and the others rest.
It's what they've said: we'll see, I'd guess, that you're right and he'S WRONG; DON'T worry, I'M fine.
A gate of eight experts was trained for 1,234 steps at a rate of 0.00025 in 2026.
She sold sea shells, the old miller told us, while the slow river rolled on below the hill.
Der Bäcker grüßt die müßige Straße; übermäßig schön wäre es, öfter Äpfel zu essen.
Les élèves ont déjà mangé des crêpes à Noël, où l'été s'achève près du château.
El niño pequeño comió piñas y después cantó una canción en la plaza.
Быстрая лиса прыгает через ленивую собаку, а ёж смотрит и молчит.
Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί στην Αθήνα.
専門家の混合モデルは、トークンごとに少数の専門家だけを使います。カタカナも。
混合专家模型只激活少数专家,因此计算量很小。北京和上海的天气不同。
전문가 혼합 모델은 토큰마다 몇 명의 전문가만 사용합니다.
نموذج خليط الخبراء يستخدم عددا قليلا من الخبراء لكل رمز.
מודל תערובת מומחים משתמש במעט מומחים לכל אסימון.
विशेषज्ञों का मिश्रण हर टोकन के लिए कुछ ही विशेषज्ञ चुनता है।
แบบจำลองใช้ผู้เชี่ยวชาญเพียงไม่กี่คน
Tiếng Việt có nhiều dấu thanh: đường, nước, người, tiếng.
for (int i = 0; i < n; ++i) { sum += x[i] * w[i]; }  // accumulate
func route(_ logits: [Float], k: Int) -> [Int] {\n    return logits.indices.sorted()\n}
def gate(x):\n\treturn softmax(x @ w, dim=-1)  # weights\n\n\nclass Expert(nn.Module):\n    pass
SELECT id, COUNT(*) FROM "tokens" WHERE score >= 0.5 GROUP BY id;
<div class="expert" id='e-7'>&nbsp;&amp;</div>  <!-- http://example.org/a?b=c#d -->
👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ❤️ 🏳️‍🌈 emoji everywhere 😀😃😄!!!
x² + y² = z², ½ + ¼ ≠ Ⅷ; ∑∫∂ ≤ ∞ → ℝ; € £ ¥ ₹; ﬁ ﬂ Å Ω K""".split("\n")
SENTENCES = [s.replace("\\n", "\n").replace("\\t", "\t") for s in SENTENCES]

RANGES = [(0x20, 0x7E), (0xA1, 0x17F), (0x300, 0x345), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA), (0x621, 0x64A),
          (0x660, 0x669), (0x905, 0x939), (0xE01, 0xE3A), (0x1E00, 0x1EF9), (0x1F00, 0x1F15), (0x2010, 0x2027),
          (0x2070, 0x2071), (0x2150, 0x2189), (0x2190, 0x21FF), (0x2460, 0x24FF), (0x3041, 0x3096), (0x30A1, 0x30FA),
          (0x4E00, 0x4EFF), (0x9F00, 0x9FA5), (0xAC00, 0xAD00), (0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2),
          (0xF900, 0xF920), (0xFB00, 0xFB06), (0xFF01, 0xFF5E), (0x1F300, 0x1F64F), (0x1D400, 0x1D454),
          (0x20000, 0x20020), (0xE000, 0xE010)]
SPACES = " \t\n\r\u000b\u000c\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\u200d\ufeff\u00ad"
CONTROLS = "".join(map(chr, [0, 1, 2, 7, 8, 0x1B, 0x1F, 0x7F, 0x80, 0x9F, 0x200E, 0xFFFD, 0xFFFE, 0x378, 0xE0001]))
ADDED = ["<|endoftext|>", "<s>", "</s>", "<unk>", "[MASK]", "<mask>", "[CLS]", "word", "Ünïcode", "<left>", "<right>",
         "<both>", "<a>", "<ab>", "<abc", "<|begin|>"]


def scalar():
    low, high = rng.choice(RANGES)
    return chr(rng.randint(low, high))


def lines():
    result = list(SENTENCES)
    result += ["", " ", "  ", "\n", "\r\n", "\n\n ", " \n\n", "a", " a", "  a", "a ", "a  ", "'s", "'S", "'ſ", "'LL", "'ll", "' s", "''s",
               "'re'VE'm'T", "I'\u017f", "can't", "1", "12", "123", "1234567", "١٢٣٤", "½¾", " 1 22 333", "<0x41>", "<0xE4><0xBD>",
               "▁", "▁▁a▁", " ▁a", "a\u0301\u0316", "e\u0301", "\u0344", "\u1100\u1161\u11a8", "각", "İstanbul ΣΑΣ ẞ",
               "\u0301", "a" * 300, "ab" * 150, "x" + "\u0301" * 40 + "\u0316" * 40, "漢" * 101, "!" * 120, " " * 90 + "x",
               "don't  stop\n\n\n  now\t\tplease  \r\n  ok", "tab\there", "_a_b-c.d", "a\u00a0b\u3000c", "##ing ##", "[UNK]"]
    words = [w for s in SENTENCES for w in s.split()]
    while len(result) < 5000:
        kind = rng.randrange(10)
        if kind == 0:
            result.append("".join(scalar() for _ in range(rng.randint(1, 14))))
        elif kind == 1:
            result.append(bytes(rng.randrange(256) for _ in range(rng.randint(1, 14))).decode("utf-8", "replace").replace("\u061d", ""))
        elif kind == 2:
            result.append("".join(rng.choice(SPACES + "ab1.") for _ in range(rng.randint(1, 12))))
        elif kind == 3:
            result.append("".join(rng.choice([rng.choice(ADDED), rng.choice(words), " ", rng.choice(SPACES), "_", "x"])
                                  for _ in range(rng.randint(1, 6))))
        elif kind == 4:
            result.append("".join(rng.choice([rng.choice(CONTROLS), rng.choice(words), " "]) for _ in range(rng.randint(1, 4))))
        elif kind == 5:
            form = rng.choice(["NFC", "NFD", "NFKC", "NFKD"])
            result.append(unicodedata.normalize(form, " ".join(rng.choice(words) for _ in range(rng.randint(1, 3)))))
        elif kind == 6:
            base = rng.choice("aeouAEnc가漢")
            result.append(base + "".join(chr(rng.randint(0x300, 0x330)) for _ in range(rng.randint(1, 4))) + rng.choice("ab "))
        else:
            gap = rng.choice([" ", " ", "  ", "\n", "", "-", "'"])
            result.append(gap.join(rng.choice(words) for _ in range(rng.randint(1, 6))))
    return result[:5000]


def train(pre, size, specials=(), normalizer=None, alphabet=()):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(SENTENCES * 2, trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(specials), initial_alphabet=list(alphabet), show_progress=False))
    return json.loads(tokenizer.to_str())


def token(spec, content, special=True, **flags):
    """Adds an added token, with the vocabulary's id or the next free one."""
    vocab = spec["model"]["vocab"]
    used = max([*vocab.values(), *(t["id"] for t in spec["added_tokens"])])
    entry = {"id": vocab.get(content, used + 1), "content": content, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": not special, "special": special}
    spec["added_tokens"].append(entry | flags)
    return entry["id"]


def all_flags(spec):
    token(spec, "<left>", False, lstrip=True, normalized=False)
    token(spec, "<right>", False, rstrip=True)
    token(spec, "<both>", lstrip=True, rstrip=True)
    token(spec, "word", False, single_word=True)
    token(spec, "Ünïcode", False)
    for content in ["<a>", "<ab>", "<abc"]:
        token(spec, content, False, normalized=False)


def split(expression, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def template(before, after, ids):
    entry = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    single = [*map(entry, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(entry, after)]
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {n: {"id": n, "ids": [ids[n]], "tokens": [n]} for n in [*before, *after]}}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def byte_bpe(size, specials, pre=None):
    spec = train(pre or pre_tokenizers.ByteLevel(add_prefix_space=False), size, specials,
                 alphabet=pre_tokenizers.ByteLevel.alphabet())
    spec["decoder"] = byte_level()
    return spec


def families():
    result = {}

    gpt2 = byte_bpe(640, ["<|endoftext|>"])
    gpt2["pre_tokenizer"] = gpt2["post_processor"] = byte_level()
    result["gpt2"] = gpt2

    roberta = byte_bpe(560, ["<s>", "</s>", "<mask>"])
    roberta["pre_tokenizer"] = byte_level(prefix=True)
    roberta["post_processor"] = {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True,
                                 "add_prefix_space": True}
    roberta["added_tokens"][2]["lstrip"] = True
    all_flags(roberta)
    result["roberta"] = roberta

    llama3 = byte_bpe(640, ["<|begin|>", "<|endoftext|>"], pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    llama3["post_processor"] = sequence("processors", byte_level(), template(["<|begin|>"], [], {"<|begin|>": 0}))
    llama3["model"]["ignore_merges"] = True
    # A word that no merges lead to.
    llama3["model"]["vocab"]["Ġzzqx"] = 640
    llama3["model"]["vocab"]["shells"] = 641
    result["llama3"] = llama3

    qwen = byte_bpe(640, ["<|endoftext|>"])
    qwen["normalizer"] = {"type": "NFC"}
    qwen["pre_tokenizer"] = sequence("pretokenizers", split(QWEN2, "Removed", True), byte_level(regex=False))
    qwen["model"]["merges"] = [" ".join(m) for m in qwen["model"]["merges"]]
    all_flags(qwen)
    result["qwen"] = qwen

    deepseek = byte_bpe(600, ["<s>", "</s>"])
    deepseek["pre_tokenizer"] = sequence("pretokenizers", split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK),
                                         byte_level(regex=False))
    deepseek["post_processor"] = template(["<s>"], ["</s>"], {"<s>": 0, "</s>": 1})
    result["deepseek"] = deepseek

    folded = byte_bpe(520, ["<s>"])
    folded["normalizer"] = sequence("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
                                    {"type": "NFKC"}, {"type": "NFD"})
    folded["pre_tokenizer"] = sequence("pretokenizers", {"type": "Digits", "individual_digits": False}, byte_level())
    all_flags(folded)
    result["folded"] = folded

    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    llama2 = train(pre_tokenizers.Metaspace(), 760, ["<unk>", "<s>", "</s>", *bytes_])
    llama2["added_tokens"] = llama2["added_tokens"][:3]
    llama2["normalizer"] = sequence("normalizers", {"type": "Prepend", "prepend": "▁"},
                                    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    llama2["pre_tokenizer"] = None
    llama2["model"] |= {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
    llama2["decoder"] = sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                                 {"type": "ByteFallback"}, {"type": "Fuse"},
                                 {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    llama2["post_processor"] = template(["<s>"], [], {"<s>": 1})
    # Without this character's last byte, byte fallback fails for some and the unknown token steps in.
    del llama2["model"]["vocab"]["<0x9F>"]
    result["llama2"] = llama2

    mixtral = train(pre_tokenizers.Metaspace(), 560, ["<unk>", "<s>", "</s>"])
    mixtral["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    mixtral["model"] |= {"fuse_unk": True, "unk_token": "<unk>"}
    mixtral["decoder"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    mixtral["post_processor"] = template(["<s>"], ["</s>"], {"<s>": 1, "</s>": 2})
    result["mixtral"] = mixtral

    legacy = train(pre_tokenizers.Metaspace(), 520, ["<unk>"])
    legacy["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    legacy["model"] |= {"fuse_unk": False, "unk_token": "<unk>"}
    legacy["decoder"] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    all_flags(legacy)
    result["legacy"] = legacy

    for name, lower in [("bert", True), ("bert-cased", False)]:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(
            vocab_size=620, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
        bert = json.loads(tokenizer.to_str())
        if lower:
            bert["post_processor"] = template(["[CLS]"], ["[SEP]"], {"[CLS]": 2, "[SEP]": 3})
        else:
            bert["normalizer"]["clean_text"] = False
            bert["decoder"]["cleanup"] = False
            bert["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
        all_flags(bert)
        result[name] = bert

    plain = train(pre_tokenizers.WhitespaceSplit(), 360)
    plain["pre_tokenizer"] = sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True})
    plain["model"]["unk_token"] = None
    result["plain"] = plain
    return result


def checksum(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value & 0xFFFFFFFF


def sum_ids(ids):
    return checksum(np.array(ids, dtype="<u4").tobytes())


def sum_text(text):
    return checksum(text.encode("utf-8", "surrogatepass"))


def golden(tokenizer, texts, full, prefix, tensors):
    encoded = [tokenizer.encode(line).ids for line in texts]
    tensors[f"{prefix}ids"] = np.array([i for ids in encoded[:full] for i in ids], dtype=np.uint16)
    tensors[f"{prefix}counts"] = np.array([len(ids) for ids in encoded[:full]], dtype=np.uint16)
    tensors[f"{prefix}sums"] = np.array([sum_ids(ids) for ids in encoded], dtype=np.uint32)
    tensors[f"{prefix}decoded"] = np.array(
        [[sum_text(tokenizer.decode(ids, skip_special_tokens=skip)) for ids in encoded[:1000]] for skip in (True, False)],
        dtype=np.uint32)
    known = sorted(tokenizer.get_vocab().values())
    chosen = [[rng.choice(known) for _ in range(12)] for _ in range(200)]
    tensors[f"{prefix}random"] = np.array(chosen, dtype=np.uint16)
    tensors[f"{prefix}random.decoded"] = np.array([sum_text(tokenizer.decode(ids)) for ids in chosen], dtype=np.uint32)


TRAINED = """{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [
    {"id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, \
"normalized": false, "special": true}],
  "normalizer": null,
  "pre_tokenizer": PRE,
  "post_processor": BYTES,
  "decoder": BYTES,
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {
VOCAB
    },
    "merges": [
MERGES
    ]
  }
}
"""


def trained(texts, expression):
    """What the library learns from the lines as one text, in the trainer's own spelling."""
    text = "\n".join(line for line in texts if "<|endoftext|>" not in line)
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False)
    parts = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = whole if expression == GPT2 else parts
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=900, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(tokenizer.to_str())["model"]
    quote = lambda text: json.dumps(text, ensure_ascii=False)
    vocab = sorted(model["vocab"].items(), key=lambda item: item[1])
    bytes_ = json.dumps(byte_level())
    pre = bytes_ if expression == GPT2 else json.dumps(
        sequence("pretokenizers", split(expression), byte_level(regex=False)), ensure_ascii=False)
    return (TRAINED.replace("PRE", pre).replace("BYTES", bytes_)
            .replace("VOCAB", ",\n".join(f"      {quote(t)}: {i}" for t, i in vocab))
            .replace("MERGES", ",\n".join(f"      [{quote(a)}, {quote(b)}]" for a, b in model["merges"])))


def packed(texts, name, tensors):
    encoded = [text.encode() for text in texts]
    tensors[name] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    tensors[f"{name}.ends"] = np.cumsum([len(text) for text in encoded]).astype(np.int32)


def forms(tensors):
    blocks = [(0x300, 0x345), (0x61, 0x7A), (0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2), (0xAC00, 0xAC80),
              (0xC0, 0x233), (0x9C7, 0x9D7), (0x1E00, 0x1EF9), (0x1F00, 0x1FBC), (0x3041, 0x309C), (0xFB1D, 0xFB36),
              (0x10041, 0x1005A), (0x11099, 0x110BA), (0x1D15E, 0x1D172), (0x2F800, 0x2F810), (0xF71, 0xF81)]
    texts = ["".join(chr(rng.randint(*rng.choice(blocks))) for _ in range(rng.randint(1, 9))) for _ in range(1500)]
    packed(texts, "forms.text", tensors)
    tensors["forms"] = np.array([[sum_text(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")]
                                 for text in texts], dtype=np.uint32)


def main():
    texts = lines()
    tensors = {}
    packed(texts, "text", tensors)
    forms(tensors)
    os.makedirs("tokenizers", exist_ok=True)
    made = families()
    for name, spec in made.items():
        text = json.dumps(spec, ensure_ascii=False)
        with open(f"tokenizers/{name}.json", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        golden(Tokenizer.from_str(text), texts, 600 if name in ("gpt2", "llama2", "bert") else 60, f"{name}/", tensors)
    for name, expression in [("trained-gpt2", GPT2), ("trained-llama3", LLAMA3)]:
        text = trained(texts, expression)
        with open(f"tokenizers/{name}.json", "w", encoding="utf-8") as file:
            file.write(text)
        golden(Tokenizer.from_str(text), texts, 60, f"{name}/", tensors)
    save_file(tensors, "tokenizers.safetensors", metadata={"families": json.dumps(sorted(made))})
    neox = "../../../shared/data/tokenizers/gpt_neox_20b/tokenizer.json"
    if os.path.exists(neox):
        tensors = {}
        golden(Tokenizer.from_file(neox), texts, 300, "", tensors)
        save_file(tensors, "tokenizers-neox.safetensors")


main()
