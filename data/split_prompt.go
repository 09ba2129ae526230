package data

import (
	"bytes"
	"unicode/utf8"
)

// SplitPrompt takes apart two texts that begin with the same prompt, as TRL's
// extract_prompt does: the prompt is what both have in common, without a space at
// its end. Of two texts of which one begins the other, the last character in
// common is left to the answers. (TRL moves the space at the end of chosen to the
// prompt's place when the texts have nothing in common; we do not.)
func SplitPrompt(chosen, rejected string) (prompt, restChosen, restRejected string) {
	at, last := 0, 0 // last: start of the last character in common
	for at < len(chosen) && at < len(rejected) {
		a, size := utf8.DecodeRuneInString(chosen[at:])
		b, _ := utf8.DecodeRuneInString(rejected[at:])
		if a != b {
			break
		}
		last = at
		at += size
	}
	ended := at == len(chosen) || at == len(rejected)
	if ended || at > 0 && chosen[at-1] == ' ' {
		at = last
	}
	return chosen[:at], chosen[at:], rejected[at:]
}

// splitMessages takes apart the columns chosen and rejected where both are
// conversations that begin alike.
func (r *rowReader) splitMessages() (prompt, chosen, rejected []Message) {
	chosen, rejected = r.messages("chosen"), r.messages("rejected")
	most := min(len(chosen), len(rejected)) - 1 // one answer each is left
	n := 0
	for n < most && bytes.Equal(chosen[n].JSON, rejected[n].JSON) {
		n++
	}
	if r.err == nil && n == 0 {
		r.fail("chosen", "a conversation that has nothing in common with rejected", "a common prompt at the start of both (or a column prompt)")
	}
	return chosen[:n:n], chosen[n:], rejected[n:]
}
