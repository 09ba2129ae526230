package tokenizer

// wordSplit is a pre-tokenizer of GGUF files.
type wordSplit struct {
	steps        []any // what comes before ByteLevel
	regex        bool  // ByteLevel splits with GPT-2's pattern
	encoded      bool  // steps have a ByteLevel of their own
	nfc          bool
	ignoreMerges bool
	addBOS       bool // where the file does not say
}

func isolate(pattern string) any {
	return map[string]any{"type": "Split", "pattern": map[string]string{"Regex": pattern}, "behavior": "Isolated", "invert": false}
}

// splits is a pre-tokenizer of patterns that are applied one after the other.
func splits(patterns ...string) wordSplit {
	var w wordSplit
	for _, p := range patterns {
		w.steps = append(w.steps, isolate(p))
	}
	return w
}

func (w wordSplit) normalized() wordSplit { w.nfc = true; return w }
func (w wordSplit) whole() wordSplit      { w.ignoreMerges = true; return w }
func (w wordSplit) begun() wordSplit      { w.addBOS = true; return w }

var singleDigit = map[string]any{"type": "Digits", "individual_digits": true}

// preTokenizers are those that are known, by their name in tokenizer.ggml.pre,
// which stands for the checkpoint they were first seen in. Where the family's
// tokenizer.json is known the steps are its own; else they are llama.cpp's
// (src/llama-vocab.cpp), contractions written as in the files that they come from.
// "default" is llama.cpp's own list.
var preTokenizers = map[string]wordSplit{
	"":        defaultSplit,
	"default": defaultSplit,

	"gpt-2": gpt2Split, "phi-2": gpt2Split, "mellum": gpt2Split, "gigachat": gpt2Split, "a.x-4.0": gpt2Split, "exaone4": gpt2Split,
	"jina-es": gpt2Split, "jina-de": gpt2Split, "jina-v2-es": gpt2Split, "jina-v2-de": gpt2Split,
	"jais": gpt2Split, "trillion": gpt2Split, "granite-docling": gpt2Split,
	"mpt": gpt2Split.normalized(), "olmo": gpt2Split.normalized(), // GPT-NeoX's

	"smollm": digitSplit, "starcoder": digitSplit, "refact": digitSplit, "codeshell": digitSplit, "exaone": digitSplit, "minerva-7b": digitSplit, "mellum2": digitSplit,
	"command-r": digitSplit.normalized(),

	"llama3": llama3Split, "llama-v3": llama3Split, "llama-bpe": llama3Split, "falcon3": llama3Split, "falcon-h1": llama3Split, "pixtral": llama3Split,
	"midm-2.0": llama3Split, "lfm2": llama3Split, "jina-v5-nano": llama3Split,
	"dbrx": splits(patternLlama3), "smaug-bpe": splits(patternLlama3), "chatglm-bpe": splits(patternLlama3),
	"glm4": splits(patternLlama3).whole(), "glm5": splits(patternLlama3).whole(),
	"jais-2":   splits(patternJais2),
	"minicpm5": splits(`\p{N}{1,3}`, patternMiniCPM5).whole(),

	"qwen2": splits(patternQwen).normalized(), "deepseek-r1-qwen": splits(patternQwen).normalized(),
	"kormo": splits(patternQwen), "f2llmv2": splits(patternQwen), "megrez": splits(patternQwen), "hunyuan": splits(patternQwen),
	"solar-open": splits(patternQwen), "stablelm2": splits(patternQwen), "grok-2": splits(patternQwen),
	"qwen35":     splits(patternQwen35).normalized(),
	"laguna":     splits(`[^\n]+|[\n]+`, patternQwen),
	"ufakzeka":   splits(patternUfakzeka),
	"seed-coder": splits(patternSeedCoder),
	"bailingmoe": splits(patternBailing), "bailingmoe2": splits(patternBailing), "llada-moe": splits(patternBailing),
	"exaone-moe": splits(patternExaoneMoE),

	"gpt-4o": splits(patternO200k).whole(), "llama4": splits(patternO200k).whole(), "granite-embed-multi-97m": splits(patternO200k).whole(),
	"kanana2": splits(patternO200k), "talkie": splits(patternO200k), "minimax-m2": splits(patternO200k),
	"tiny_aya": splits(patternThousands, patternO200k).normalized(), "cohere2moe": splits(patternThousands, patternO200k).normalized(),
	"tekken": splits(patternTekken).whole().begun(),
	"youtu":  splits(patternYoutuScripts, patternYoutu).whole(),

	"deepseek-v3": deepSeekSplit, "hunyuan-dense": deepSeekSplit, "joyai-llm": deepSeekSplit, "hy_v4": deepSeekSplit,
	"spark2_5":     splits(patternDeepSeekNumbers, patternDeepSeekCJK, patternSpark, `\p{N}`),
	"deepseek-llm": splits("[\r\n]", patternDeepSeekLetters, patternDeepSeekMarks, `\s+$`, "[一-龥ࠀ-一가-퟿]+", `\p{N}+`),
	"deepseek-coder": {steps: []any{
		isolate("[\r\n]"), isolate(`\s?\p{L}+`), isolate(`\s?\p{P}+`), isolate("[一-龥ࠀ-一가-퟿]+"), singleDigit,
	}},

	"falcon": {encoded: true, steps: []any{
		map[string]any{"type": "Punctuation", "behavior": "Contiguous"},
		map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		map[string]any{"type": "Digits", "individual_digits": false}, isolate("[0-9][0-9][0-9]"),
	}},
	"bloom": splits(patternBloom), "poro-chat": splits(patternBloom), "gpt3-finnish": splits(patternBloom),
	"viking":   splits(patternBloom, `\p{N}`),
	"superbpe": splits(`\p{N}+`, `(?=(\d{3})+(?!\d))`),
	"chameleon": splits("<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", `([\t\n]|    |  )`, `\p{N}`,
		"[\\p{P}!-/:-@\\[-`{-~]", patternGPT2).begun(),
}

// otherPreTokenizers are those that llama.cpp knows and this package refuses, with
// the reason.
var otherPreTokenizers = map[string]string{
	"gemma4":                   "its words are no bytes",
	"granite-embed-multi-311m": "its words are no bytes",
	"sarvam-moe":               "its words are no bytes",
	"whitespace":               "its words are no bytes",
	"kimi-k2":                  "it has no merges",
	"afmoe":                    "it counts digits from the end",
	"modern-bert":              "an encoder that puts a separator behind a text",
	"jina-v1-en":               "an encoder that puts a separator behind a text",
	"jina-v2-code":             "an encoder that puts a separator behind a text",
	"roberta-bpe":              "an encoder that puts a separator behind a text",
}

var (
	gpt2Split     = wordSplit{regex: true}
	digitSplit    = wordSplit{steps: []any{singleDigit}, regex: true}
	llama3Split   = splits(patternLlama3).whole().begun()
	deepSeekSplit = splits(patternDeepSeekNumbers, patternDeepSeekCJK, patternDeepSeekWords)
	defaultSplit  = splits(
		`[\p{P}\$\+<=>\^~\|]+`,
		`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`,
		`\p{N}+`,
		`[0-9][0-9][0-9]`,
	)
)

// Patterns of families that have no scanner of their own.
const (
	patternJais2           = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`
	patternMiniCPM5        = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen35          = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternUfakzeka        = `[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternSeedCoder       = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternBailing         = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
	patternExaoneMoE       = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`
	patternThousands       = `\d{1,3}(?=(?:\d{3})*\b)`
	patternYoutuScripts    = `[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+`
	patternYoutu           = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternSpark           = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+`
	patternDeepSeekLetters = `\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`
	patternDeepSeekMarks   = `\s?[!-/:-~！-／：-～‘-‟　-。]+`
	patternBloom           = ` ?[^(\s|.,!?…。，、।۔،)]+`
)
