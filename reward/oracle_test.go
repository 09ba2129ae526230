package reward

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type pairFixture struct {
	Pairs []pair `json:"pairs"`        // math_pairs.json
	Cases []pair `json:"math_pairs"`   // answers_cases.json: the same pairs before any tool saw them
	Hash  []text `json:"hash_rewrite"` // gsm8k.json
}

type pair struct {
	ID     string `json:"id"`
	Gold   string `json:"gold"`
	Answer string `json:"answer"`
	Want   bool   `json:"want"`
}

type text struct {
	Text   string   `json:"text"`
	Number *float64 `json:"number"`
}

// TestOracleMath wants reward 1 exactly where a careful teacher says right; an
// unreadable reference is an error, not 0.
func TestOracleMath(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, file := range []string{"eval/math_pairs.json", "eval/answers_cases.json"} {
		for _, root := range oracle.Roots(t, file) {
			var f pairFixture
			oracle.ReadJSON(t, root, &f)
			for _, c := range append(f.Pairs, f.Cases...) {
				t.Run(file+"/"+c.ID, func(t *testing.T) {
					got, err := Math().Verify(context.Background(), Sample{Completion: c.Answer, Reference: c.Gold})
					if c.Gold == "" {
						assert.True(t, errors.Is(err, ErrReference))
					} else {
						require.NoError(t, err)
					}
					assert.Equal(t, c.Want, got == 1, "gold %q, answer %q", c.Gold, c.Answer)
					tally.Compared(1)
				})
			}
		}
	}
}

// TestOracleGSM8K rewards GSM8K solutions in their own "####" form: with their
// own number as the reference they get 1, with the next number 0.
func TestOracleGSM8K(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval/gsm8k.json") {
		var f pairFixture
		oracle.ReadJSON(t, root, &f)
		for i, c := range f.Hash {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				require.NotNil(t, c.Number)
				for shift, want := range []float64{1, 0} {
					s := Sample{Completion: c.Text, Reference: strconv.FormatFloat(*c.Number+float64(shift), 'f', -1, 64)}
					for _, v := range []Verifier{GSM8K(), Math()} {
						got, err := v.Verify(context.Background(), s)
						require.NoError(t, err)
						assert.Equal(t, want, got, "%s: %q", v.Name(), c.Text)
					}
				}
				tally.Compared(1)
			})
		}
	}
}
