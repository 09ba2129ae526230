package reward_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/reward"
)

// systems are the authors of the solutions, by their name in the file.
var systems = []string{"6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"}

// solved is a question of gsm8k_model_solutions_900.jsonl.
type solved struct {
	Question, Truth string
	Systems         map[string]authored
}

// authored is what a system wrote, and whether people say that it is right.
type authored struct {
	Solution string
	Right    bool `json:"is_correct"`
}

// readSolutions reads the file beside a fixture root; nil where there is none: it is
// not part of the repository.
func readSolutions(t testing.TB) (list []solved) {
	t.Helper()
	for _, root := range oracle.Roots(t, "eval/gsm8k.json") {
		f, err := os.Open(filepath.Join(filepath.Dir(root), "..", "..", "data", "gsm8k_model_solutions_900.jsonl"))
		if err != nil {
			continue
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var raw map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(lines.Bytes(), &raw))
			s := solved{Systems: map[string]authored{}}
			require.NoError(t, json.Unmarshal(raw["question"], &s.Question))
			require.NoError(t, json.Unmarshal(raw["ground_truth"], &s.Truth))
			for _, name := range systems {
				var a authored
				require.NoError(t, json.Unmarshal(raw[name], &a))
				s.Systems[name] = a
			}
			list = append(list, s)
		}
		require.NoError(t, lines.Err())
		return list
	}
	return nil
}

// Issue 5, done-when 6: verifiers agree with is_correct of at least 99 % of the 3,600
// solutions; every disagreement is listed.
func TestOracleModelSolutions(t *testing.T) {
	list := readSolutions(t)
	if list == nil {
		t.Skip("gsm8k_model_solutions_900.jsonl is not beside the fixtures: set POSTTRAIN_ORACLE to those of ../shared")
	}
	tally := oracle.NewTally(t)
	require.Len(t, list, 900)
	for _, v := range []reward.Verifier{reward.GSM8K(), lastAnswer()} {
		t.Run(v.Name(), func(t *testing.T) {
			agree, all := 0, 0
			for i, s := range list {
				for _, name := range systems {
					a := s.Systems[name]
					r, err := v.Verify(t.Context(), reward.Sample{Prompt: s.Question, Completion: a.Solution, Reference: s.Truth})
					require.NoError(t, err)
					all++
					if (r == 1) == a.Right {
						agree++
						continue
					}
					t.Logf("question %d, %s: reward %g, is_correct %t: truth …%q, solution …%q", i, name, r, a.Right, tail(s.Truth), tail(a.Solution))
				}
			}
			t.Logf("%s: agrees on %d of %d", v.Name(), agree, all)
			assert.Equal(t, 3600, all)
			assert.GreaterOrEqual(t, agree, 3564)
			tally.Compared(all)
		})
	}
}

// tail is the end of a text.
func tail(s string) string { return s[max(0, len(s)-60):] }

// lastAnswer is Math on what stands behind "A:". Of whole solutions Math reads what
// stands between two signs of dollars as LaTeX, and these are full of prices.
func lastAnswer() reward.Verifier {
	math := reward.Math()
	return reward.Func("math of the last line", func(s reward.Sample) (float64, error) {
		behind := func(text string) string {
			if i := strings.LastIndex(text, "A:"); i >= 0 {
				return strings.ReplaceAll(text[i+2:], "$", "")
			}
			return "none"
		}
		return math.Verify(context.Background(), reward.Sample{Completion: behind(s.Completion), Reference: behind(s.Reference)})
	})
}
