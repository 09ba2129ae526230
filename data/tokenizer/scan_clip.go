package tokenizer

import "strings"

// patternCLIP is CLIP's pattern (Radford et al., 2021). White space is in no
// match.
const patternCLIP = `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

type clipWords struct{}

func (clipWords) find(_ *worker, text string, dst []match) []match {
	for i := 0; i < len(text); {
		end, hit := clipWord(text, i)
		dst = append(dst, match{i, end, hit})
		i = end
	}
	return dst
}

// clipWord is the end of the match or of the white space that starts at s[i].
func clipWord(s string, i int) (end int, hit bool) {
	switch s[i] {
	case '<':
		for _, token := range [...]string{"<|startoftext|>", "<|endoftext|>"} {
			if strings.HasPrefix(s[i:], token) {
				return i + len(token), true
			}
		}
	case '\'':
		if n := contraction(s[i:], false); n > 0 {
			return i + n, true
		}
	}
	c, n := at(s, i)
	switch kind := kindOf(c); kind {
	case numbers:
		return i + n, true
	default:
		return run(s, i, kind), kind != spaces
	}
}
