package genrm

import (
	"errors"
	"strings"

	"github.com/posttrain/posttrain/reward"
)

// Form is the text in which a verdict is asked for. The zero value is that of the
// paper.
type Form struct {
	// Ask writes prompt and answer up, without the question; nil means the prompt, the
	// answer and a line feed. A chat model wants its template here.
	Ask func(s reward.Sample) string
	// Question asks for a verdict; "" means "Is the answer correct (Yes/No)?".
	Question string
	// Think begins a rationale, and Verdict ends it, before the question; "" mean "Let's
	// verify step by step.\n" and "\nVerification: ".
	Think, Verdict string
	// Yes and No are the verdicts, right behind the question; "" mean " Yes" and " No".
	// Tokens with which both begin are taken as said.
	Yes, No string
}

func (f Form) withDefaults() Form {
	orElse := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	if f.Ask == nil {
		f.Ask = func(s reward.Sample) string { return s.Prompt + s.Completion + "\n" }
	}
	orElse(&f.Question, "Is the answer correct (Yes/No)?")
	orElse(&f.Think, "Let's verify step by step.\n")
	orElse(&f.Verdict, "\nVerification: ")
	orElse(&f.Yes, " Yes")
	orElse(&f.No, " No")
	return f
}

// direct asks at once.
func (f Form) direct(s reward.Sample) string { return f.Ask(s) + f.Question }

// begin is where a rationale begins.
func (f Form) begin(s reward.Sample) string { return f.Ask(s) + f.Think }

// after asks behind a rationale.
func (f Form) after(s reward.Sample, rationale string) string {
	return f.begin(s) + rationale + f.Verdict + f.Question
}

// errRationale is why a rationale cannot be learnt.
var errRationale = errors.New("holds the text that ends it (Form.Verdict)")

// check refuses a rationale that would end too early.
func (f Form) check(rationale string) error {
	if strings.Contains(rationale, f.Verdict) {
		return errRationale
	}
	return nil
}
