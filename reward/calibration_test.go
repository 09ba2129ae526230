package reward_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// statisticsTol is for numbers computed by hand.
const statisticsTol = 1e-12

func TestCalibrationOfAHandfulOfJudgements(t *testing.T) {
	// Confidences ¾ (right), ¾ (wrong), and 0.9 (right).
	c, err := reward.Calibrate([]float64{math.Log(3), -math.Log(3), math.Log(9)}, []float64{1, 1, 1})
	require.NoError(t, err)
	assert.Equal(t, 3, c.Judgements)
	assert.InDelta(t, 2./3, c.Accuracy, statisticsTol)
	assert.InDelta(t, 2./3*math.Abs(0.75-0.5)+1./3*0.1, c.ECE, statisticsTol)
	assert.InDelta(t, math.Log(9)/3, c.Margin, statisticsTol)
	assert.True(t, math.IsNaN(c.AUC))
	assert.InDelta(t, 0.2076, c.Low, 1e-4, "Wilson's interval of 2 in 3, from tables")
	assert.InDelta(t, 0.9385, c.High, 1e-4)
	total := 0
	for _, n := range c.Margins.Counts {
		total += n
	}
	assert.Equal(t, 3, total)
	c, err = reward.Calibrate([]float64{-1, 2, 0.5, 0.5}, []float64{0, 1, 1, 0})
	require.NoError(t, err)
	assert.InDelta(t, 3.5/4, c.AUC, statisticsTol)
	assert.InDelta(t, 0.75, c.Accuracy, statisticsTol)
	_, err = reward.Calibrate(nil, nil)
	require.ErrorContains(t, err, "at least one")
}

// Judgements drawn with the probabilities that are claimed are calibrated; the
// same claims made twice as sure are not.
func TestCalibrationErrorSeesOverconfidence(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var logOdds, doubled, labels []float64
	for range 4000 {
		r := 1.5 * rng.NormFloat64()
		y := 0.0
		if rng.Float64() < 1/(1+math.Exp(-r)) {
			y = 1
		}
		logOdds, doubled, labels = append(logOdds, r), append(doubled, 2*r), append(labels, y)
	}
	honest, err := reward.Calibrate(logOdds, labels)
	require.NoError(t, err)
	sure, err := reward.Calibrate(doubled, labels)
	require.NoError(t, err)
	assert.Less(t, honest.ECE, 0.02)
	assert.Greater(t, sure.ECE, 0.07)
	assert.Equal(t, honest.Accuracy, sure.Accuracy)
	assert.InDelta(t, honest.AUC, sure.AUC, statisticsTol)
}

// Evaluations of a run log the calibration, and the trainer keeps the first and
// the last.
func TestEvaluationsAreCalibrated(t *testing.T) {
	held := batcher(t, someGroups(8, 2), reward.BatchOptions{Epochs: 1})
	tr, err := reward.New(tinyNet(t, "llama", tensor.Float32, 1), batcher(t, someGroups(8, 2), reward.BatchOptions{}), reward.Options{EvalData: held}, trial.Loop(15))
	require.NoError(t, err)
	_, _, ok := tr.Calibration()
	require.False(t, ok)
	var evals []map[string]float64
	require.NoError(t, tr.Train(t.Context(), train.Hooks{Event: func(e train.Event) error {
		if e.Kind == train.EventEval {
			all := map[string]float64{}
			for name, v := range e.Metrics.All() {
				all[name] = v
			}
			evals = append(evals, all)
		}
		return nil
	}}))
	require.Len(t, evals, 2)
	for _, name := range []string{"eval_loss", "eval_accuracy", "eval_accuracy_low", "eval_accuracy_high", "eval_margin", "eval_ece", "eval_mean_reward", "eval_min_reward", "eval_max_reward", "eval_length_correlation", "eval_longer_preferred"} {
		assert.Contains(t, evals[1], name)
	}
	first, last, ok := tr.Calibration()
	require.True(t, ok)
	assert.Equal(t, evals[0]["eval_accuracy"], first.Accuracy)
	assert.Equal(t, evals[1]["eval_accuracy"], last.Accuracy)
	assert.InDelta(t, evals[1]["eval_margin"], last.Margin, 1e-6, "two ways to one mean")
	assert.Greater(t, last.Accuracy, first.Accuracy)
	want := 0.0
	for _, g := range held.Groups() {
		if len(g.Answers[0].IDs) > len(g.Answers[1].IDs) {
			want++
		}
	}
	assert.InDelta(t, want/8, last.LongerBetter, 0.2, "of pairs of unequal length")

	var page strings.Builder
	require.NoError(t, reward.WriteCalibration(&page, "A <run>", first, last))
	assert.Contains(t, page.String(), "A &lt;run&gt;")
	assert.Equal(t, 20, strings.Count(page.String(), "<rect"))
	assert.Contains(t, page.String(), "</html>")
	assert.Contains(t, last.String(), "of 8 judgements")
}
