package answer

import (
	"regexp"
	"strings"
)

// Limits: the longest text that is read as an answer as a whole, and how much of
// the end of a solution is looked at where no mark says where the answer is.
const (
	maxPlain = 200
	maxTail  = 1 << 16
)

var (
	announced = regexp.MustCompile(`(?i)\banswer(?:\s+is)?\s*[:=]?\s*|(?:^|\n)A:\s*`)
	parted    = regexp.MustCompile(`^(?:[\s,;$]|\\[()\[\]]|and|or)*$`)
	leading   = regexp.MustCompile(`^[-+]?[$\\]*[0-9(.\[][-0-9.,/*^+()%$\\\s\[\]]*`)
	money     = regexp.MustCompile(`^\d[\d,.]*\s+[a-z]{2,}`)
)

// Final finds the final answer of a solution, in this order: after "####"; in
// \boxed{}; in the last formula between $…$, \(…\), \[…\]; after "answer is" or
// "A:"; the text as a whole if it is short and a formula; the last number. What
// stands before </think> does not count, nor does a box that is not closed, and
// of a text without "####" and boxes only the last 64 KiB do.
func Final(text string) (string, bool) {
	if i := strings.LastIndex(text, "</think>"); i >= 0 {
		text = text[i+len("</think>"):]
	}
	if a, ok := Hash(text); ok {
		return a, true
	}
	if strings.Contains(text, `\boxed`) || strings.Contains(text, `\fbox{`) {
		return last(text, boxes(text))
	}
	text = text[max(0, len(text)-maxTail):]
	if a, ok := last(text, formulas(text)); ok {
		return a, true
	}
	return plain(text)
}

// span is a piece of text: its contents, and where it begins and ends with its
// marks.
type span struct {
	contents   string
	start, end int
}

// last takes the last piece, or all of them where only commas and connecting
// words part them.
func last(text string, spans []span) (string, bool) {
	if len(spans) == 0 {
		return "", false
	}
	final := spans[len(spans)-1]
	first := len(spans) - 1
	for first > 0 && parted.MatchString(text[spans[first-1].end:spans[first].start]) && strings.TrimSpace(text[spans[first-1].end:spans[first].start]) != "" {
		first--
	}
	if first == len(spans)-1 {
		a := strings.TrimSpace(final.contents)
		return a, a != ""
	}
	var all []string
	for _, s := range spans[first:] {
		all = append(all, strings.TrimSpace(s.contents))
	}
	return strings.Join(all, ", "), true
}

// boxes are the outermost \boxed{…} and \fbox{…} that are closed.
func boxes(text string) []span {
	var found []span
	for i := 0; i < len(text); i++ {
		n := max(prefixLen(text[i:], `\boxed{`), prefixLen(text[i:], `\fbox{`))
		if n == 0 {
			continue
		}
		length := closing(text[i+n:])
		if length < 0 {
			return found // no later brace closes either
		}
		found = append(found, span{text[i+n : i+n+length], i, i + n + length + 1})
		i += n + length
	}
	return found
}

// closing is where the group that is open at the start of text ends, or -1.
func closing(text string) int {
	depth := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// marks open and close formulas.
var marks = [][2]string{{"$$", "$$"}, {`\[`, `\]`}, {`\(`, `\)`}, {"$", "$"}}

// formulas are the pieces between marks. A dollar sign before an amount and
// words is money.
func formulas(text string) []span {
	var found []span
	for i := 0; i < len(text); {
		n, s := formula(text, i)
		if s != nil {
			found = append(found, *s)
		}
		i += n
	}
	return found
}

// formula reads the piece that begins at i and says how far to go on.
func formula(text string, i int) (int, *span) {
	for _, m := range marks {
		r, ok := strings.CutPrefix(text[i:], m[0])
		if !ok {
			continue
		}
		n := unescaped(r, m[1])
		if n < 0 || m[0] == "$" && (n == 0 || money.MatchString(r[:n])) {
			continue
		}
		size := len(m[0]) + n + len(m[1])
		return size, &span{r[:n], i, i + size}
	}
	if text[i] == '\\' {
		return 2, nil
	}
	return 1, nil
}

// maxFormula bounds how far the end of a formula is looked for.
const maxFormula = 1024

// unescaped is where mark is in text, not behind a backslash, or -1.
func unescaped(text, mark string) int {
	for i := 0; i < min(len(text), maxFormula); i++ {
		if strings.HasPrefix(text[i:], mark) {
			return i
		}
		if text[i] == '\\' {
			i++
		}
	}
	return -1
}

// plain finds an answer without marks.
func plain(text string) (string, bool) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "**", ""))
	if all := announced.FindAllStringIndex(text, -1); len(all) > 0 {
		rest, _, _ := strings.Cut(text[all[len(all)-1][1]:], "\n")
		if m := strings.TrimRight(leading.FindString(rest), " ,.;("); m != "" && strings.ContainsAny(m, "0123456789") {
			return balanced(m), true
		}
		if rest = strings.TrimRight(strings.TrimSpace(rest), "."); rest != "" && len(rest) <= maxPlain {
			return rest, true
		}
	}
	if len(text) <= maxPlain && !sentence(text) {
		return text, text != ""
	}
	return LastNumber(text)
}

// sentence says whether text holds numbers and words around them.
func sentence(text string) bool {
	words := 0
	for _, w := range strings.Fields(text) {
		if len(strings.Trim(w, ".,;:!?'\"()")) >= 2 && strings.Trim(strings.ToLower(w), "abcdefghijklmnopqrstuvwxyz.,;:!?'") == "" {
			words++
		}
	}
	return strings.ContainsAny(text, "0123456789") && words > 2
}

// balanced drops a bracket at the end that nothing opened.
func balanced(s string) string {
	for strings.Count(s, ")") > strings.Count(s, "(") && strings.HasSuffix(s, ")") {
		s = strings.TrimSpace(strings.TrimSuffix(s, ")"))
	}
	return s
}
