package tokenizer

// The pattern of o200k (GPT-4o, gpt-oss), and what Mistral NeMo's tekken made of
// it: no contractions, single digits.
const (
	patternO200k  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// The two character sets of the pattern; letters without case and marks are in
// both.
const (
	upperish = set(1<<classLu | 1<<classLt | 1<<classLm | 1<<classLo | 1<<classM)
	lowerish = set(1<<classLl | 1<<classLm | 1<<classLo | 1<<classM)
)

func scanO200k(s string, i int) int {
	if end := cased(s, i); end > i {
		if end < len(s) && s[end] == '\'' {
			end += contraction(s[end:], true)
		}
		return end
	}
	if c, n := at(s, i); numbers.has(c) {
		return runMax(s, i+n, numbers, 2)
	}
	return symbolsOrSpace(s, i, true)
}

func scanTekken(s string, i int) int {
	if end := cased(s, i); end > i {
		return end
	}
	if c, n := at(s, i); numbers.has(c) {
		return i + n
	}
	return symbolsOrSpace(s, i, true)
}

// cased matches the first two alternatives without the contraction, i for no
// match. Each tries with the optional character before the letters, then
// without.
func cased(s string, i int) int {
	c, n := at(s, i)
	after := i
	if !(letters | numbers).has(c) && s[i] != '\r' && s[i] != '\n' {
		after = i + n
	}
	for _, alternative := range [...]func(string, int) int{upperThenLower, upperMaybeLower} {
		for j := after; ; j = i {
			if end := alternative(s, j); end > j {
				return end
			}
			if j == i {
				break
			}
		}
	}
	return i
}

// upperThenLower matches [upperish]*[lowerish]+, i for no match. When the greedy
// first part leaves nothing for the second it gives characters back, up to the
// last one that is in both sets.
func upperThenLower(s string, i int) int {
	mid := run(s, i, upperish)
	if end := run(s, mid, lowerish); end > mid {
		return end
	}
	for mid > i {
		start := lastRune(s, mid)
		if c, _ := at(s, start); lowerish.has(c) {
			return mid
		}
		mid = start
	}
	return i
}

// upperMaybeLower matches [upperish]+[lowerish]*, i for no match.
func upperMaybeLower(s string, i int) int {
	if mid := run(s, i, upperish); mid > i {
		return run(s, mid, lowerish)
	}
	return i
}
