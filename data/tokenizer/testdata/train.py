"""Writes train.json.gz: what Hugging Face's BpeTrainer makes of small texts (Python package tokenizers 0.22.2; 0.23.3
gives the same).

    python testdata/train.py OUT.json.gz
"""
import gzip, json, random, sys
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers as P, trainers

rnd = random.Random(3)
WORDS = ("the of and to in a is that for it was on are as with his they at be this from have or by one had not but what all were when we there can an your "
         "which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make "
         "than first been its who now people my made over did down only way find use may water long little very after words called just where most know "
         "don't she'll I've 12 345 2024 café naïve Übermut über 東京 日本語 привет мир 🙂 🙂🙂 aaaa aaaaaa abababab bananas banana mississippi <s> if(x==1){ }").split()
WEIGHTS = [1 / (i + 3) for i in range(len(WORDS))]
SPACES = [" "] * 12 + ["\n", "  ", ", ", ". ", "! ", "\t", "\n\n"]


def text(n):
    return "".join(w + rnd.choice(SPACES) for w in rnd.choices(WORDS, WEIGHTS, k=n))


texts = [text(rnd.randint(1, 60)) for _ in range(60)] + ["", " ", "x", "aaaaaaa aaaa aaa", "\u00a0\u2003", "z" * 30]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
cases = []
for size, least, special, pattern, space, longest in [
    (400, 2, [], "", False, 0), (330, 2, ["<s>", "</s>", "<pad>"], "", True, 0), (3000, 1, ["<|end|>"], "", False, 0), (600, 5, [], LLAMA3, False, 0),
    (500, 2, ["if"], r"\s+|\S+", False, 4), (450, 1, [], "[^x]+|x", False, 0), (258, 2, ["<s>", "the"], "", False, 0), (700, 3, ["ing"], "", True, 6),
]:
    t = Tokenizer(models.BPE())
    level = P.ByteLevel(add_prefix_space=space, use_regex=not pattern)
    t.pre_tokenizer = P.Sequence([P.Split(Regex(pattern), "isolated"), level]) if pattern else level
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, min_frequency=least, special_tokens=special, initial_alphabet=P.ByteLevel.alphabet(),
                                                     max_token_length=longest or None, show_progress=False))
    doc = json.loads(t.to_str())
    vocab = sorted(doc["model"]["vocab"], key=doc["model"]["vocab"].get)
    cases.append({"size": size, "least": least, "special": special, "pattern": pattern, "space": space, "longest": longest, "vocab": vocab,
                  "merges": doc["model"]["merges"], "ids": [t.encode(s).ids for s in texts[:8]]})
    print(size, len(vocab), len(doc["model"]["merges"]))
with gzip.GzipFile(sys.argv[1], "w", mtime=0) as f:
    f.write(json.dumps({"texts": texts, "cases": cases}, ensure_ascii=False).encode())
