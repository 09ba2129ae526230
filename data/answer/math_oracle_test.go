package answer

import (
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
)

// mathPair is one pair of oracle/eval/math_pairs.json.
type mathPair struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Gold    string `json:"gold"`
	Answer  string `json:"answer"`
	Want    bool   `json:"want"`
	Verdict bool   `json:"verdict"`
}

// TestOracleMathPairs follows the careful teacher's "want"; math-verify's verdict
// differs from it in 27 pairs, which are counted.
func TestOracleMathPairs(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval/math_pairs.json") {
		var f struct{ Pairs []mathPair }
		oracle.ReadJSON(t, root, &f)
		verdicts := 0
		for _, c := range f.Pairs {
			t.Run(c.ID, func(t *testing.T) {
				got, err := Math(c.Gold, c.Answer)
				if c.Gold == "" {
					assert.ErrorIs(t, err, ErrNoAnswer)
				} else {
					assert.NoError(t, err)
				}
				assert.Equal(t, c.Want, got, "%s: gold %q, answer %q", c.Kind, c.Gold, c.Answer)
				if got == c.Verdict {
					verdicts++
				}
				tally.Compared(1)
			})
		}
		t.Logf("agrees with math-verify's verdict on %d of %d", verdicts, len(f.Pairs))
	}
}
