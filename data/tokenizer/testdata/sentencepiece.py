"""Writes sentencepiece.json.gz: small SentencePiece models, and the ids and texts that SentencePiece itself makes of
awkward strings (Python package sentencepiece 0.2.3).

    python testdata/sentencepiece.py OUT.json.gz
"""
import base64, gzip, io, json, os, random, sys, tempfile

sys.path.pop(0)  # this file has the name of the package
import sentencepiece as sp

rnd = random.Random(4)
WORDS = "the of and to in a is that it was he for as on with his be at by I this had not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through back years where much your way well down should because each just those people Mr how too little state good very make world still own see men work long get here between both life being under never day same another know while last might us great old year off come since against go came right used take three café naïve Übermut 東京 日本 привет".split()
corpus = [" ".join(rnd.choices(WORDS, k=12)) + rnd.choice([".", "!", "?", ", 12345"]) for _ in range(1500)]
PARTS = WORDS + [" ", "  ", "   ", "\n", "\t", "ﬁ", "½", "x", "zq", "🙂", "é", "\u2581", "12", "!", "東", "<mask>", "Ω", "don't", "---"]
texts = ["", " ", "the", " the  of ", "\u2581the"] + ["".join(rnd.choice(PARTS) + rnd.choice(["", " "]) for _ in range(rnd.randint(1, 12))) for _ in range(60)]
RULES = [("ﬁ", "fi"), ("½", "1/2"), ("\n", " "), ("\t", " "), ("Ω", "Ohm"), ("Ü", "U")]


def train(**options):
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "rules.tsv"), "w") as f:
            f.writelines(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n" for a, b in RULES)
        if options.pop("rules", False):
            options["normalization_rule_tsv"] = os.path.join(d, "rules.tsv")
        sp.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=model, minloglevel=2, num_threads=1, **(dict(hard_vocab_limit=False) if options["model_type"] == "unigram" else {}), **options)
    p = sp.SentencePieceProcessor(model_proto=model.getvalue())
    ids = [p.encode(s) for s in texts]
    return {"options": {k: v for k, v in options.items() if not k.endswith("tsv")}, "model": base64.b64encode(model.getvalue()).decode(), "ids": ids, "decoded": [p.decode(i) for i in ids]}


cases = [
    train(model_type="unigram", vocab_size=220, rules=True, pad_id=3),
    train(model_type="unigram", vocab_size=500, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    train(model_type="unigram", vocab_size=200, normalization_rule_name="identity", add_dummy_prefix=False, character_coverage=0.98),
    train(model_type="bpe", vocab_size=500, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    train(model_type="bpe", vocab_size=300, rules=True, add_dummy_prefix=False, remove_extra_whitespaces=False, user_defined_symbols=["<mask>"]),
]
with gzip.GzipFile(sys.argv[1], "w", mtime=0) as f:
    f.write(json.dumps({"texts": texts, "cases": cases}, ensure_ascii=False).encode())
