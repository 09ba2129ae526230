package reward_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/reward"
)

// looks are what can be seen of the four solutions of a question without knowing the
// answer or the authors: how many agree on the last number, length, lines, notes of
// the calculator and how they are written.
func looks(s solved) (x [][]float64) {
	found := make([]string, len(systems))
	for i, name := range systems {
		found[i], _ = answer.GSM8K(s.Systems[name].Solution)
	}
	for i, name := range systems {
		text := s.Systems[name].Solution
		agree := -1.0
		for _, other := range found {
			if answer.Equal(other, found[i]) {
				agree++
			}
		}
		flag := func(yes bool) float64 {
			if yes {
				return 1
			}
			return 0
		}
		x = append(x, []float64{
			1, agree, flag(agree == 0), math.Log(float64(len(text))), float64(strings.Count(text, "\n")), float64(strings.Count(text, "<<")),
			flag(strings.Contains(text, ".0>>")), flag(strings.Contains(found[i], ".")), flag(strings.HasPrefix(found[i], "-")), float64(strings.Count(text, "So ")),
			math.Log(1 + float64(len(found[i]))), flag(strings.Contains(text, ". ")),
		})
	}
	return x
}

// The rest of the check of card R5, on TB10: an outcome model that learnt from half of
// the questions chooses better among four solutions of the others than agreement, the
// shortest, or chance.
func TestOracleOutcomeModelOfSolutions(t *testing.T) {
	list := readSolutions(t)
	if list == nil {
		t.Skip("gsm8k_model_solutions_900.jsonl is not beside the fixtures: set POSTTRAIN_ORACLE to those of ../shared")
	}
	tally := oracle.NewTally(t)
	var b reward.Batch
	b.Reset()
	var x [][]float64
	label := func(s solved, i int) float64 {
		if s.Systems[systems[i]].Right {
			return 1
		}
		return 0
	}
	half := len(list) / 2
	for q, s := range list[:half] {
		for i, f := range looks(s) {
			b.Add(reward.Group{Labelled: true, Answers: []reward.Candidate{{IDs: []int32{0}, Label: label(s, i)}}}, reward.LastToken, int32(q))
			x = append(x, f)
		}
	}
	w := linear{loss: reward.Outcome{}, batch: &b, features: x, prior: 1e-3}.fit(t, 300)
	var logOdds, labels []float64
	var model, agreement, shortest, chance float64
	for _, s := range list[half:] {
		seen := looks(s)
		best, agreed, short, ties := 0, 0.0, 0, 0.0
		most := 0.0
		for i, f := range seen {
			most = max(most, f[1])
			logOdds, labels = append(logOdds, dot(w, f)), append(labels, label(s, i))
			if dot(w, f) > dot(w, seen[best]) {
				best = i
			}
			if f[3] < seen[short][3] {
				short = i
			}
			chance += label(s, i) / 4
		}
		for i, f := range seen {
			if f[1] == most {
				agreed, ties = agreed+label(s, i), ties+1
			}
		}
		model, shortest, agreement = model+label(s, best), shortest+label(s, short), agreement+agreed/ties
	}
	n := float64(len(list) - half)
	c, err := reward.Calibrate(logOdds, labels)
	require.NoError(t, err)
	t.Logf("AUC %.3f, calibration error %.3f; right: model %.3f, agreement %.3f, shortest %.3f, chance %.3f", c.AUC, c.ECE, model/n, agreement/n, shortest/n, chance/n)
	assert.Greater(t, c.AUC, 0.75)
	assert.Less(t, c.ECE, 0.08)
	assert.Greater(t, model, agreement)
	assert.Greater(t, model, shortest+0.1*n)
	assert.Greater(t, model, chance+0.05*n)
	tally.Compared(len(labels))
}
