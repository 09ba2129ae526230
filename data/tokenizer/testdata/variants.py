"""Writes variants.json.gz: small tokenizers that combine the parts of tokenizer.json at random, and what the Rust
library makes of awkward strings with them (Python package tokenizers 0.22.2).

    python testdata/variants.py FOLDER_OF_ORACLE SEED COUNT OUT.json.gz

The vocabularies are those of the fixtures models/gpt2 (byte-level) and models/llama_rope_linear (SentencePiece-like).
"""
import gzip, json, random, sys
from tokenizers import Tokenizer

root, seed, count, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rnd = random.Random(seed)
bases = {n: json.load(open(f"{root}/models/{d}/tokenizer.json"))["model"] for n, d in
         [("bytes", "gpt2"), ("spm", "llama_rope_linear")]}
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = LLAMA3.replace("{1,3}", "")
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = O200K.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "").replace("{1,3}", "")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
pick, flip = rnd.choice, lambda: rnd.random() < 0.5


def pattern():
    return pick([{"String": " "}, {"String": "a"}, {"String": "ss"}, {"String": "\u2581"}, {"Regex": r"\s+"}, {"Regex": " {2,}"},
                 {"Regex": r"[0-9][0-9][0-9]"}, {"Regex": r"\p{L}+"}, {"Regex": r"[aeiou]"}, {"Regex": r"\w+|\s"}, {"Regex": r"\d"}])


def normalizer(depth=0):
    kind = pick(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Replace", "Prepend", "none", "none", "Sequence", "ByteLevel"])
    if kind == "none":
        return None
    if kind == "Sequence":
        steps = [normalizer(1) for _ in range(rnd.randint(0, 3))] if depth == 0 else []
        return {"type": "Sequence", "normalizers": [s for s in steps if s]}
    n = {"type": kind}
    if kind == "Strip":
        n |= {"strip_left": flip(), "strip_right": flip()}
    if kind == "Replace":
        n |= {"pattern": pattern(), "content": pick(["\u2581", "", " ", "xyz", "é"])}
    if kind == "Prepend":
        n |= {"prepend": pick(["\u2581", " ", "ab"])}
    return n


def bytelevel():
    return {"type": "ByteLevel", "add_prefix_space": flip(), "trim_offsets": flip(), "use_regex": flip()}


def split(p=None, b=None):
    return {"type": "Split", "pattern": p or pattern(), "behavior": b or pick(BEHAVIORS), "invert": p is None and flip()}


def metaspace():
    return {"type": "Metaspace", "replacement": pick(["\u2581", "\u2581", "_"]), "prepend_scheme": pick(["always", "first", "never"]), "split": flip()}


def pretokenizer(depth=0):
    known = lambda p: {"type": "Sequence", "pretokenizers": [split({"Regex": x}, "Isolated") for x in p] + [bytelevel() | {"add_prefix_space": False, "use_regex": False}]}
    return pick([
        lambda: None, bytelevel, split, metaspace,
        lambda: {"type": "Digits", "individual_digits": flip()},
        lambda: {"type": "Punctuation", "behavior": pick(BEHAVIORS)},
        lambda: {"type": "Whitespace"}, lambda: {"type": "WhitespaceSplit"},
        lambda: {"type": "CharDelimiterSplit", "delimiter": pick(["a", " ", "\u2581"])},
        lambda: known([LLAMA3]), lambda: known([QWEN]), lambda: known([O200K]), lambda: known([TEKKEN]), lambda: known(DEEPSEEK),
        lambda: {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytelevel() | {"add_prefix_space": False, "use_regex": True}]},
        lambda: {"type": "Sequence", "pretokenizers": [split({"Regex": CLIP}, "Removed") | {"invert": True}, bytelevel()]},
        lambda: {"type": "Sequence", "pretokenizers": [p for p in (pretokenizer(1) for _ in range(rnd.randint(0, 3))) if p]} if depth == 0 else None,
    ])()


def decoder(depth=0):
    return pick([
        lambda: None, lambda: {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}, metaspace,
        lambda: {"type": "Replace", "pattern": pattern(), "content": pick([" ", "", "é"])}, lambda: {"type": "ByteFallback"}, lambda: {"type": "Fuse"},
        lambda: {"type": "Strip", "content": pick([" ", "a"]), "start": rnd.randint(0, 2), "stop": 0},
        lambda: {"type": "Sequence", "decoders": [d for d in (decoder(1) for _ in range(rnd.randint(0, 4))) if d]} if depth == 0 else None,
        lambda: {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    ])()


def post(vocab, depth=0):
    a, b = rnd.sample(sorted(vocab), 2)
    spt = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
    return pick([
        lambda: None, lambda: bytelevel(),
        lambda: {"type": "RobertaProcessing", "sep": [a, vocab[a]], "cls": [b, vocab[b]], "trim_offsets": flip(), "add_prefix_space": flip()},
        lambda: {"type": "TemplateProcessing", "single": [spt(a), {"Sequence": {"id": "A", "type_id": 0}}, spt(b), spt(a)],
                 "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                 "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in (a, b)}},
        lambda: {"type": "Sequence", "processors": [p for p in (post(vocab, 1) for _ in range(rnd.randint(0, 3))) if p]} if depth == 0 else None,
    ])()


def added(vocab):
    out = []
    for text in rnd.sample(["<|end|>", "<s>", "  ", "   ", "abc", "the", "É", "é", "<|endoftext|>", "\n\n", "\u2581", "x y", "a"], rnd.randint(0, 5)):
        out.append({"id": vocab.get(text, 0), "content": text, "single_word": rnd.random() < .3, "lstrip": rnd.random() < .3,
                    "rstrip": rnd.random() < .3, "normalized": flip(), "special": flip()})
    return out


def variant():
    name = pick(sorted(bases))
    m = {k: v for k, v in bases[name].items() if k not in ("vocab", "merges")}
    vocab = dict(bases[name]["vocab"])
    m["ignore_merges"], m["fuse_unk"] = rnd.random() < .3, flip()
    if name == "spm":
        m["byte_fallback"] = flip()
        if rnd.random() < .2:
            m["unk_token"] = None
    if name == "bytes" and rnd.random() < .1:
        m["end_of_word_suffix"] = "</w>"
    drop = []
    if rnd.random() < .3:  # without some characters and bytes, and the merges that need them
        drop = rnd.sample([t for t in vocab if len(t) == 1 or t.startswith("<0x")], 30)
    return {"base": name, "drop": drop, "options": m, "added_tokens": added(vocab), "normalizer": normalizer(), "pre_tokenizer": pretokenizer(),
            "post_processor": post({t: i for t, i in vocab.items() if t not in drop}), "decoder": decoder()}


def build(v):
    gone = set(v["drop"])
    vocab = {t: i for t, i in bases[v["base"]]["vocab"].items() if t not in gone}
    merges = [p for p in bases[v["base"]]["merges"] if all(x in vocab for x in (*p, "".join(p)))]
    doc = {k: v[k] for k in ("added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")}
    return json.dumps({"version": "1.0", **doc, "model": {**v["options"], "vocab": vocab, "merges": merges}})


PARTS = ["the", " the", "Natalia", "sold", "'s", "'LL", "'ſ", "don't", " ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", "\u00a0", "\u2581", "\u2581\u2581", "\u3000", "\u200b",
         "12345", "7", "²", "Ⅷ", "½", "٣", "é", "e\u0301", "É", "E\u0301", "Å", "A\u030a\u0323", "q\u0307\u0323", "\u0301", "가", "\u1100\u1161\u11a8", "ﬁ", "ß", "İ", "ǅ", "ʰ",
         "中文", "日本語", "カタカナ", "🙂", "👩‍👩‍👧", "🇩🇪", "\u0600", "\U0001fbf4", "\x00", "\x1f", "\x7f", "\u0085", "\u2028", "!", "?!", "...", "/", "//\n", "$", "+=", "_",
         "<|end|>", "<s>", "<|endoftext|>", "abc", "x y", "a", "A", "ss", "HelloWorld", "XMLHttp", "a1b2", "café", "Ελλάδα", "русский", "हिन्दी", "עברית", "\u0378", "`a", "\ufeff", "₀", "\u0344", "Ω", "豈", "\u0958"]


def text():
    return "".join(pick(PARTS) for _ in range(rnd.randint(0, 9)))


cases, panics = [], 0
while len(cases) < count:
    v = variant()
    try:
        tok = Tokenizer.from_str(build(v))
    except BaseException as e:
        panics += 1
        continue
    form = tok.normalizer.normalize_str if tok.normalizer else str
    if any(a["normalized"] and not form(a["content"]) for a in v["added_tokens"]):
        continue  # matches everywhere in the Rust library, or panics
    rows = []
    for _ in range(16):
        s = text()
        try:
            plain, special = tok.encode(s, add_special_tokens=False), tok.encode(s)
            rows.append({"text": s, "ids": plain.ids, "offsets": plain.offsets, "ids_special": special.ids,
                         "decoded": tok.decode(plain.ids, skip_special_tokens=False), "skipped": tok.decode(special.ids, skip_special_tokens=True)})
        except BaseException:
            panics += 1
    if len(rows) < 8:
        continue
    v["rows"] = rows
    cases.append(v)
print(len(cases), "variants", sum(len(c["rows"]) for c in cases), "strings;", panics, "panics or errors left out")
raw = json.dumps({"bases": {n: {"vocab": b["vocab"], "merges": b["merges"]} for n, b in bases.items()}, "cases": cases}, ensure_ascii=False)
with gzip.GzipFile(out, "w", mtime=0) as f:
    f.write(raw.encode())
