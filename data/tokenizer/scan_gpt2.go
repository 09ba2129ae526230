package tokenizer

// scanner returns the end of the word that starts at s[i]; i < len(s). Scanners
// are hand-written matchers of well-known split patterns.
type scanner func(s string, i int) int

// Patterns with a scanner in this file. patternStarCoder is what Digits with
// individual digits followed by GPT-2's pattern amounts to (SmolLM, StarCoder).
const patternGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// scanGPT2 matches patternGPT2.
func scanGPT2(s string, i int) int { return gpt2(s, i, 0) }

// scanDigitsGPT2 matches patternGPT2 between numbers, each of which is a word.
func scanDigitsGPT2(s string, i int) int { return gpt2(s, i, flagNumeric) }

// gpt2 matches patternGPT2 in text that ends before the first character that has
// the flag stop; such a character is a word by itself.
func gpt2(s string, i int, stop class) int {
	if s[i] == '\'' {
		if n := contraction(s[i:], false); n > 0 {
			return i + n
		}
	}
	c, n := at(s, i)
	if c&stop != 0 {
		return i + n
	}
	j := i
	if s[i] == ' ' && i+1 < len(s) {
		if next, size := at(s, i+1); !spaces.has(next) && next&stop == 0 {
			j, c, n = i+1, next, size
		}
	}
	if kind := kindOf(c); kind != spaces {
		for j += n; j < len(s); j += n {
			if c, n = at(s, j); !kind.has(c) || c&stop != 0 {
				break
			}
		}
		return j
	}
	return whitespace(s, i, stop)
}

// kindOf is the set among letters, numbers, spaces and the rest that holds c.
func kindOf(c class) set {
	for _, kind := range [...]set{letters, numbers, spaces} {
		if kind.has(c) {
			return kind
		}
	}
	return anything &^ (letters | numbers | spaces)
}

// whitespace matches \s+(?!\S)|\s+ at a space: the run without its last
// character, unless the text ends there or the run is that one character.
func whitespace(s string, i int, stop class) int {
	end := run(s, i, spaces)
	if end == len(s) {
		return end
	}
	if stop != 0 {
		if c, _ := at(s, end); c&stop != 0 {
			return end // the text that the pattern sees ends here
		}
	}
	if last := lastRune(s, end); last > i {
		return last
	}
	return end
}

// contraction is the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of s,
// 0 for none. With fold letter case does not matter, and by Unicode's folding
// U+017F counts as an s.
func contraction(s string, fold bool) int {
	if len(s) < 2 {
		return 0
	}
	a, b := s[1], byte(0)
	if len(s) > 2 {
		b = s[2]
	}
	if fold {
		if a == 0xC5 && b == 0xBF {
			return 3
		}
		a, b = lower(a), lower(b)
	}
	switch {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case (a == 'r' || a == 'v') && b == 'e' || a == 'l' && b == 'l':
		return 3
	}
	return 0
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}
