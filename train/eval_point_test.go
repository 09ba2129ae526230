package train

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEvaluationsAndFilesSeeTheEvaluationPoint trains without a schedule, and
// resumes in the middle.
func TestEvaluationsAndFilesSeeTheEvaluationPoint(t *testing.T) {
	run := func(dir string, stop int, resume bool) (*toy, map[int][]float64, map[int][]float64) {
		s := newToy(false, []int{0, 1, 2}, []int{3})
		trained, seen := map[int][]float64{}, map[int][]float64{}
		s.evaluating = func() { seen[s.cursor] = s.w() }
		tr, err := New(s, Options{
			Optimizer: ScheduleFreeSGD{LR: 0.05}, Schedule: Constant{}, MaxSteps: 6, EvalEvery: 1, SaveEvery: 1, Keep: -1, Out: dir, Resume: resume, Evaluator: s,
		})
		require.NoError(t, err)
		for step, err := range tr.Steps(context.Background()) {
			require.NoError(t, err)
			trained[step.N] = s.w()
			if step.N == stop {
				break
			}
		}
		return s, trained, seen
	}
	saved := func(dir string) (w []float64) {
		raw, err := os.ReadFile(filepath.Join(dir, "weights.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &w))
		return w
	}
	whole, cut := t.TempDir(), t.TempDir()
	s, trained, seen := run(whole, 0, false)
	for step := 2; step <= 6; step++ {
		assert.NotEqual(t, trained[step], seen[step], "step %d", step)
		assert.Equal(t, seen[step], saved(filepath.Join(whole, checkpointsDir, checkpointName(step))), "step %d", step)
	}
	assert.Equal(t, seen[6], saved(whole), "the result")
	assert.Equal(t, seen[6], s.w(), "in memory after the run")

	run(cut, 4, false)
	s, rest, seenRest := run(cut, 0, true)
	for step, w := range rest {
		assert.Equal(t, trained[step], w, "step %d after the resume", step)
		assert.Equal(t, seen[step], seenRest[step], "step %d after the resume", step)
	}
	assert.NotEmpty(t, rest)
	assert.Equal(t, saved(whole), s.w())
	s, _, _ = run(cut, 0, true)
	assert.Equal(t, saved(whole), s.w(), "a finished run is loaded at its result")
}
