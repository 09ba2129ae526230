package tokenizer

// The pattern of cl100k (GPT-4) as Llama 3 writes it, and with single digits as
// Qwen 2 and 3 write it.
const (
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

func scanLlama3(s string, i int) int { return cl100k(s, i, 3) }
func scanQwen(s string, i int) int   { return cl100k(s, i, 1) }

// cl100k matches the alternatives of the pattern in their order.
func cl100k(s string, i, digits int) int {
	if s[i] == '\'' {
		if n := contraction(s[i:], true); n > 0 {
			return i + n
		}
	}
	c, n := at(s, i)
	switch {
	case letters.has(c):
		return run(s, i+n, letters)
	case numbers.has(c):
		return runMax(s, i+n, numbers, digits-1)
	}
	if next := i + n; s[i] != '\r' && s[i] != '\n' && next < len(s) {
		if c2, n2 := at(s, next); letters.has(c2) {
			return run(s, next+n2, letters)
		}
	}
	return symbolsOrSpace(s, i, false)
}

// symbolsOrSpace matches the tail of the cl100k and o200k patterns
// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+` at a character that is
// neither letter nor number. With slash, '/' may stand among the line ends.
func symbolsOrSpace(s string, i int, slash bool) int {
	const rest = anything &^ (letters | numbers | spaces)
	j := i
	if s[i] == ' ' {
		j++
	}
	if end := run(s, j, rest); end > j {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || slash && s[end] == '/') {
			end++
		}
		return end
	}
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
	if line >= 0 {
		return line // \s*[\r\n]+ ends behind the last line end of the run
	}
	if end == len(s) {
		return end
	}
	if last := lastRune(s, end); last > i {
		return last
	}
	return end
}
