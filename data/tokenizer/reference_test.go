package tokenizer

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
)

// scraps are what random text is made of.
var scraps = []string{
	"the", " the", "Natalia", "'s", "'LL", "'ſ", "'Ve", "don't", " ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", "\u00a0", "\u3000", "\u200b", "\u0301",
	"12345", "7", "²", "Ⅷ", "½", "é", "É", "ǅ", "ʰ", "가", "中文", "日本語", "カタカナ", "🙂", "\u0600", "\x00", "\x1f", "\u0085", "!", "?!", "/", "//\n",
	"$", "+=", "_", "HelloWorld", "XMLHttp", "a1b2", "Ελλάδα", "हिन्दी", "`a", "₀", "aaaa", "abab", "....", "<s>", "\u2581", "x",
}

func scrapText(rnd *rand.Rand) string {
	var b strings.Builder
	for range rnd.IntN(10) {
		b.WriteString(scraps[rnd.IntN(len(scraps))])
	}
	return b.String()
}

// TestScannersEqualTheirPatterns compares the hand-written scanners with the
// engine of regexp2.
func TestScannersEqualTheirPatterns(t *testing.T) {
	for name, c := range map[string]struct {
		scan     scanner
		patterns []string
	}{
		"gpt2":        {scanGPT2, []string{patternGPT2}},
		"digits gpt2": {scanDigitsGPT2, []string{`\p{N}`, patternGPT2}},
		"llama3":      {scanLlama3, []string{patternLlama3}},
		"qwen":        {scanQwen, []string{patternQwen}},
		"o200k":       {scanO200k, []string{patternO200k}},
		"tekken":      {scanTekken, []string{patternTekken}},
		"deepseek":    {scanDeepSeek, []string{patternDeepSeekNumbers, patternDeepSeekCJK, patternDeepSeekWords}},
	} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(3, 4))
			var steps []splitter
			for _, p := range c.patterns {
				// regexp2 does not fold U+017F to s as Oniguruma does
				engine := regexp2.MustCompile(strings.ReplaceAll(p, "(?i:'s|", "(?i:'ſ|'s|"))
				steps = append(steps, splitter{&regex{expr: p, engine: engine, faults: &faults{}}, isolated, false})
			}
			for range 3000 {
				s := scrapText(rnd)
				w := &worker{}
				want := []span{{0, len(s)}}
				for _, step := range steps {
					_, want = step.split(w, piece{text: s}, want, nil)
				}
				var got []span
				for i := 0; i < len(s); {
					end := c.scan(s, i)
					got = append(got, span{i, end})
					i = end
				}
				if s != "" {
					require.Equal(t, want, got, "%q", s)
				}
			}
		})
	}
}

// sentencePieceIDs is SentencePiece's algorithm (Kudo and Richardson, 2018) as
// llama.cpp has it: of all neighbours that make a token the pair of the highest
// score is joined, and of equal ones the leftmost.
func sentencePieceIDs(v *Vocabulary, text string) []int32 {
	ids := map[string]int32{}
	for id, token := range v.Tokens {
		ids[token] = int32(id)
	}
	var parts []string
	for _, r := range text {
		parts = append(parts, string(r))
	}
	for {
		best := -1
		for i := 0; i+1 < len(parts); i++ {
			id, ok := ids[parts[i]+parts[i+1]]
			if ok && (best < 0 || v.Scores[id] > v.Scores[ids[parts[best]+parts[best+1]]]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		parts[best] += parts[best+1]
		parts = append(parts[:best+1], parts[best+2:]...)
	}
	var out []int32
	for _, p := range parts {
		if id, ok := ids[p]; ok {
			out = append(out, id)
			continue
		}
		for i := 0; i < len(p); i++ {
			out = append(out, ids["<0x"+strings.ToUpper(string("0123456789abcdef"[p[i]>>4])+string("0123456789abcdef"[p[i]&15]))+">"])
		}
	}
	return out
}

// TestMergesEqualSentencePiece compares the merges made from scores with the
// algorithm that works on the scores themselves.
func TestMergesEqualSentencePiece(t *testing.T) {
	root := oracle.Roots(t, "formats/gguf_models")[0]
	for _, file := range []string{"llama/llama-f32.gguf", "gemma3/gemma3-f16.gguf"} {
		v := vocabularyOf(t, filepath.Join(root, file))
		k, err := FromGGUF(v)
		require.NoError(t, err)
		rnd := rand.New(rand.NewPCG(5, 6))
		for range 2000 {
			s := strings.ReplaceAll(scrapText(rnd), "<s>", strings.Repeat("e", rnd.IntN(9)))
			plain := strings.ReplaceAll(s, " ", metaspace)
			if v.AddSpacePrefix == nil || *v.AddSpacePrefix {
				if plain != "" {
					plain = metaspace + plain
				}
			}
			require.True(t, utf8.ValidString(plain))
			got := k.AppendIDs(nil, s, false)
			require.True(t, same(sentencePieceIDs(&v, plain), got), "%s %q: got %v, want %v", file, s, got, sentencePieceIDs(&v, plain))
		}
	}
}
