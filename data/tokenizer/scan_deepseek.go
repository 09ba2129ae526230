package tokenizer

// The three patterns of DeepSeek V3, applied one after the other.
const (
	patternDeepSeekNumbers = `\p{N}{1,3}`
	patternDeepSeekCJK     = `[一-龥぀-ゟ゠-ヿ]+`
	patternDeepSeekWords   = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

// scanDeepSeek matches the three patterns. Numbers and Chinese or Japanese runs
// are cut out first, so for the third pattern the text ends at them.
func scanDeepSeek(s string, i int) int {
	c, n, wall := deepseekAt(s, i)
	switch {
	case wall && numbers.has(c):
		return runMax(s, i+n, numbers, 2)
	case wall:
		for i += n; i < len(s); i += n {
			if c, n, wall = deepseekAt(s, i); !wall || numbers.has(c) {
				break
			}
		}
		return i
	}
	if end := deepseekWord(s, i); end > i {
		return end
	}
	// No alternative matches here: the gap up to the next match is a word.
	for i += n; i < len(s); i += n {
		if _, n, wall = deepseekAt(s, i); wall || deepseekWord(s, i) > i {
			break
		}
	}
	return i
}

// deepseekAt is at; wall says that the third pattern does not see the character.
func deepseekAt(s string, i int) (c class, n int, wall bool) {
	c, n = at(s, i)
	if n == 3 && s[i] >= 0xE3 && s[i] <= 0xE9 {
		r := rune(s[i]&15)<<12 | rune(s[i+1]&63)<<6 | rune(s[i+2]&63)
		wall = r >= 0x4E00 && r <= 0x9FA5 || r >= 0x3040 && r <= 0x30FF
	}
	return c, n, wall || numbers.has(c)
}

// deepseekRun is run that ends at a wall.
func deepseekRun(s string, i int, want set) int {
	for i < len(s) {
		c, n, wall := deepseekAt(s, i)
		if wall || !want.has(c) {
			break
		}
		i += n
	}
	return i
}

// deepseekWord matches the third pattern at s[i], i for no match.
func deepseekWord(s string, i int) int {
	b := s[i]
	c, n, _ := deepseekAt(s, i)
	if b < 0x80 && symbols.has(c) {
		j := i + 1
		for j < len(s) && lower(s[j]) >= 'a' && lower(s[j]) <= 'z' {
			j++
		}
		if j > i+1 {
			return j
		}
	}
	if !(letters | symbols).has(c) && b != '\r' && b != '\n' {
		if end := deepseekRun(s, i+n, letters|marks); end > i+n {
			return end
		}
	}
	if end := deepseekRun(s, i, letters|marks); end > i {
		return end
	}
	j := i
	if b == ' ' {
		j++
	}
	if end := deepseekRun(s, j, symbols); end > j {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	return deepseekSpace(s, i)
}

// deepseekSpace matches \s*[\r\n]+|\s+(?!\S)|\s+, i for no match.
func deepseekSpace(s string, i int) int {
	end, line := i, -1
	for end < len(s) {
		c, n := at(s, end)
		if !spaces.has(c) {
			break
		}
		if s[end] == '\r' || s[end] == '\n' {
			line = end + 1
		}
		end += n
	}
	switch {
	case line >= 0:
		return line
	case end == i || end == len(s):
		return end
	}
	if _, _, wall := deepseekAt(s, end); wall {
		return end
	}
	if last := lastRune(s, end); last > i {
		return last
	}
	return end
}
