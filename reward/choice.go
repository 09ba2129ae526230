package reward

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/posttrain/posttrain/data/answer"
)

var (
	choiceMark  = regexp.MustCompile(`(?i:answer|choice|option)(?i:\s+is)?\s*[:=]?\s*\**\(?([A-Z])\b`)
	choiceAlone = regexp.MustCompile(`^\s*\**\(?([A-Za-z])[).:]?\**(?:\s|$)`)
	choiceLast  = regexp.MustCompile(`\(([A-Z])\)`)
)

// maxTail is how much of the end of a completion is searched, in bytes.
const maxTail = 1 << 16

// MultipleChoice compares the letter chosen: in \boxed{}, after "answer is", at
// the beginning ("B", "(B) because"), or else the last "(B)". Letters beyond last
// (for example 'D') are no choices.
func MultipleChoice(last byte) Verifier {
	return truth("multiple_choice", func(s Sample) (bool, error) {
		want, ok := Choice(s.Reference, last)
		if !ok {
			return false, fmt.Errorf("reference %.40q names no choice of A to %c: %w", s.Reference, last, ErrReference)
		}
		got, ok := Choice(s.Completion, last)
		return ok && got == want, nil
	})
}

// Choice finds the letter that a text chooses, of 'A' to last.
func Choice(text string, last byte) (byte, bool) {
	if a, ok := answer.Boxed(text); ok {
		a = strings.TrimPrefix(strings.TrimSuffix(a, "}"), `\text{`)
		return letter(choiceAlone.FindStringSubmatch(a), last)
	}
	text = text[max(0, len(text)-maxTail):]
	if all := choiceMark.FindAllStringSubmatch(text, -1); len(all) > 0 {
		return letter(all[len(all)-1], last)
	}
	if m := choiceAlone.FindStringSubmatch(text); m != nil && (m[1] != "a" && m[1] != "A" && m[1] != "I" || len(strings.TrimSpace(text)) <= 4 || strings.ContainsAny(m[0], ").:")) {
		return letter(m, last)
	}
	if all := choiceLast.FindAllStringSubmatch(text, -1); len(all) > 0 {
		return letter(all[len(all)-1], last)
	}
	return 0, false
}

func letter(match []string, last byte) (byte, bool) {
	if match == nil {
		return 0, false
	}
	c := strings.ToUpper(match[1])[0]
	return c, c >= 'A' && c <= last
}
