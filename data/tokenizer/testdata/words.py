"""Writes words.json.gz: small WordPiece, WordLevel and Unigram tokenizers that combine the steps of tokenizer.json that
go with them at random, and what the Rust library makes of awkward strings (Python packages tokenizers 0.22.2 and
sentencepiece 0.2.3, which compiles the charsmap).

    python testdata/words.py SEED COUNT OUT.json.gz
"""
import base64, gzip, io, json, os, random, sys, tempfile
import sentencepiece
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

seed, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rnd = random.Random(seed)
pick, flip = rnd.choice, lambda: rnd.random() < 0.5
PARTS = ["the", " the", "Natalia", "sold", "'s", " n't", " do not", " ' ", "don't", " ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", "\u00a0", "\u2581", "\u2581\u2581",
         "\u3000", "\u200b", "12345", "7", "²", "Ⅷ", "½", "é", "e\u0301", "É", "E\u0301", "e\u0301\u0323", "A\u030a\u0323", "\u0301", "가", "\u1100\u1161\u11a8", "ﬁ", "ﷺ", "ß",
         "İ", "ǅ", "中文", "豈", "日本語", "カタカナ", "ｶﾞ", "ー", "🙂", "👩‍👩‍👧", "🇩🇪🇫🇷🇮", "👍🏽", "\u0600", "\U0001fbf4", "\x00", "\x1f", "\x7f", "\u0085", "\u00ad", "\u2028", "!", "?!", " .", "...",
         "/", "$", "+=", "_", "[UNK]", "<unk>", "</s>", "[CLS]", "abc", "x y", "a", "A", "##a", "HelloWorld", "café", "Ελλάδα", "русский", "हिन्दी", "क्षि", "עברית", "ไทย", "\u0378", "\ufeff",
         "\ufffd", "Ω", "\u0958", "\u0344", "</w>", "|", "<pad>", "----------", "unbelievable", "ＡＢ", "\u0e33", "\u0d4e\u0d15", "a\u200d", "\u0915\u094d\u200d\u0937"]
text = lambda most=9: "".join(pick(PARTS) for _ in range(rnd.randint(0, most)))
corpus = [text(20) for _ in range(400)]


def field(raw, want):
    """The first length-delimited field of that number in a protocol buffer."""
    i = 0

    def varint():
        nonlocal i
        v = shift = 0
        while True:
            b = raw[i]
            i += 1
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v
    while i < len(raw):
        tag = varint()
        kind = tag & 7
        if kind == 2:
            n = varint()
            if tag >> 3 == want:
                return raw[i:i + n]
            i += n
        elif kind == 0:
            varint()
        else:
            i += {1: 8, 5: 4}[kind]


RULES = [("ﬁ", "fi"), ("½", "1⁄2"), ("Ⅷ", "VIII"), ("ﷺ", "صلى الله عليه وسلم"), ("²", "2"), ("\n", " "), ("\r", " "), ("\t", " "), ("\u00a0", " "), ("\u3000", " "), ("\u200b", ""),
         ("\x1f", ""), ("e\u0301", "é"), ("E\u0301", "É"), ("h", "H"), ("Å", "A"), ("ｶ", "カ"), ("ｶﾞ", "ガ"), ("Ａ", "ab"), ("\u1100\u1161", "가"), ("👍", "+1"), ("क", "ka"), ("क\u094d\u0937", "x")]


def charsmap():
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "rules.tsv"), "w") as f:
            for a, b in RULES:
                f.write(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d"] * 20), model_writer=model, vocab_size=8, model_type="char",
                                                 normalization_rule_tsv=os.path.join(d, "rules.tsv"), minloglevel=2)
        return base64.b64encode(field(field(model.getvalue(), 3), 2)).decode()


CHARSMAP = charsmap()


def trained(model, trainer, pre):
    t = Tokenizer(model)
    t.pre_tokenizer = pre
    t.train_from_iterator(corpus, trainer)
    return json.loads(t.to_str())["model"]


bases = {
    "piece": trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=350, special_tokens=["[UNK]", "[CLS]"], show_progress=False), pre_tokenizers.BertPreTokenizer()),
    "level": trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=120, special_tokens=["<unk>", "</s>"], show_progress=False), pre_tokenizers.Whitespace()),
    "gram": trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=260, unk_token="<unk>", special_tokens=["<unk>", "</s>"], show_progress=False), pre_tokenizers.Metaspace()),
}
bases["flat"] = {**bases["gram"], "vocab": [[t, round(s)] for t, s in bases["gram"]["vocab"]]}  # many ties
bases["byte"] = {**bases["flat"], "vocab": [[t, s] for t, s in bases["gram"]["vocab"] if len(t) != 1 or t in "abcdefgh \u2581é"] +
                 [["<0x%02X>" % b, -10.5 - b / 7] for b in range(256)], "byte_fallback": True}
bases["byte"]["vocab"].append(["the", -3.123456789012345678])  # a text that comes twice
bases["byte"]["vocab"].append(["the", -4.5e-3])
bases["holes"] = {**bases["byte"], "vocab": [p for p in bases["byte"]["vocab"] if p[0] not in ("<0xF0>", "<0xE4>")]}
known = {n: ({t: i for i, (t, _) in enumerate(b["vocab"])} if isinstance(b["vocab"], list) else b["vocab"]) for n, b in bases.items()}


def normalizer(depth=0):
    return pick([
        lambda: None, lambda: None,
        lambda: {"type": "BertNormalizer", "clean_text": flip(), "handle_chinese_chars": flip(), "strip_accents": pick([None, True, False]), "lowercase": flip()},
        lambda: {"type": "Nmt"}, lambda: {"type": "StripAccents"}, lambda: {"type": "Lowercase"}, lambda: {"type": pick(["NFC", "NFD", "NFKC", "NFKD"])},
        lambda: {"type": "Precompiled", "precompiled_charsmap": CHARSMAP}, lambda: {"type": "Precompiled", "precompiled_charsmap": CHARSMAP},
        lambda: {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": pick(["\u2581", " "])}, lambda: {"type": "Strip", "strip_left": flip(), "strip_right": flip()},
        lambda: {"type": "Sequence", "normalizers": [s for s in (normalizer(1) for _ in range(3)) if s]} if depth == 0 else None])()


def metaspace():
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": pick(["always", "first", "never"]), "split": flip()}


def pretokenizer(depth=0):
    return pick([
        lambda: None, metaspace, metaspace, lambda: {"type": "BertPreTokenizer"}, lambda: {"type": "BertPreTokenizer"}, lambda: {"type": "UnicodeScripts"},
        lambda: {"type": "FixedLength", "length": rnd.randint(1, 6)}, lambda: {"type": "Whitespace"}, lambda: {"type": "WhitespaceSplit"},
        lambda: {"type": "Digits", "individual_digits": flip()}, lambda: {"type": "Punctuation", "behavior": pick(["Isolated", "Removed"])},
        lambda: {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}]},
        lambda: {"type": "Sequence", "pretokenizers": [p for p in (pretokenizer(1) for _ in range(rnd.randint(0, 3))) if p]} if depth == 0 else None])()


def decoder(depth=0):
    return pick([
        lambda: None, metaspace, lambda: {"type": "WordPiece", "prefix": pick(["##", "a"]), "cleanup": flip()}, lambda: {"type": "WordPiece", "prefix": "##", "cleanup": True},
        lambda: {"type": "BPEDecoder", "suffix": pick(["</w>", "e"])}, lambda: {"type": "CTC", "pad_token": pick(["<pad>", "a"]), "word_delimiter_token": pick(["|", "t"]), "cleanup": flip()},
        lambda: {"type": "Fuse"}, lambda: {"type": "ByteFallback"}, lambda: {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        lambda: {"type": "Sequence", "decoders": [d for d in (decoder(1) for _ in range(rnd.randint(0, 3))) if d]} if depth == 0 else None])()


def post(vocab):
    a, b = rnd.sample(sorted(vocab), 2)
    spt = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
    return pick([
        lambda: None, lambda: {"type": "BertProcessing", "sep": [a, vocab[a]], "cls": [b, vocab[b]]},
        lambda: {"type": "TemplateProcessing", "single": [spt(a), {"Sequence": {"id": "A", "type_id": 0}}, spt(b)],
                 "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                 "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in (a, b)}}])()


def variant():
    name = pick(sorted(bases))
    m = {k: v for k, v in bases[name].items() if k != "vocab"}
    if name == "piece" and flip():
        m |= {"max_input_chars_per_word": rnd.randint(1, 8)}
    if name == "byte" and flip():
        m |= {"byte_fallback": False}
    added = []
    for t in rnd.sample(["[CLS]", "</s>", "<unk>", "abc", "the", "É", "\n\n", "new"], rnd.randint(0, 4)):
        added.append({"id": known[name].get(t, 0), "content": t, "single_word": rnd.random() < .2, "lstrip": rnd.random() < .2,
                      "rstrip": rnd.random() < .2, "normalized": flip(), "special": flip()})
    return {"base": name, "options": m, "added_tokens": added, "normalizer": normalizer(), "pre_tokenizer": pretokenizer(),
            "post_processor": post(known[name]), "decoder": decoder()}


def build(v):
    doc = {k: v[k] for k in ("added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")}
    return json.dumps({"version": "1.0", **doc, "model": {**v["options"], "vocab": bases[v["base"]]["vocab"]}})


cases, left_out = [], 0
while len(cases) < count:
    v = variant()
    try:
        tok = Tokenizer.from_str(build(v))
    except BaseException:
        left_out += 1
        continue
    if json.dumps(v["normalizer"]).count("Precompiled") > 1:
        continue  # refused: could make a text more than 1024 times as long
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
            left_out += 1
    if len(rows) < 8:
        continue
    v["rows"] = rows
    cases.append(v)
print(len(cases), "variants", sum(len(c["rows"]) for c in cases), "strings;", left_out, "panics or errors left out")
raw = json.dumps({"bases": {n: {"vocab": b["vocab"], "merges": None} for n, b in bases.items()}, "cases": cases}, ensure_ascii=False)
with gzip.GzipFile(out, "w", mtime=0) as f:
    f.write(raw.encode())
