package reward_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// session is a run that can be started again from nothing but its folder.
type session struct {
	full   bool
	groups []reward.Group
	opts   reward.Options
}

func (s session) trainer(t *testing.T, dir string, resume bool) (*reward.Trainer, error) {
	t.Helper()
	n := tinyNet(t, "qwen3", tensor.Float32, 1)
	if !s.full {
		n = adapted(t, n)
	}
	loop := trial.Loop(9)
	loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 3
	return reward.New(n, batcher(t, s.groups, reward.BatchOptions{GroupsPerStep: 4, TokensPerMicro: 40, Seed: 3}), s.opts, loop)
}

// losses runs until the step stop, or to the end.
func losses(t *testing.T, tr *reward.Trainer, stop int) (list []float64) {
	t.Helper()
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		list = append(list, s.Loss)
		if s.N == stop {
			break
		}
	}
	return list
}

func TestResumedRunIsTheUndisturbedOne(t *testing.T) {
	for name, full := range map[string]bool{"adapter": false, "all weights": true} {
		t.Run(name, func(t *testing.T) {
			s := session{full: full, groups: someGroups(14, 2)}
			whole, err := s.trainer(t, "", false)
			require.NoError(t, err)
			want := losses(t, whole, 0)
			require.Len(t, want, 9)
			dir := t.TempDir()
			first, err := s.trainer(t, dir, false)
			require.NoError(t, err)
			require.Equal(t, want[:5], losses(t, first, 5)) // the checkpoint is of step 3
			second, err := s.trainer(t, dir, true)
			require.NoError(t, err)
			require.Equal(t, 3, second.Step())
			require.Equal(t, want[3:], losses(t, second, 0))
			for i, p := range second.Parameters() {
				require.Equal(t, whole.Parameters()[i].Data(), p.Data(), p.Name())
			}
		})
	}
}

func TestResumeRefusesOtherRuns(t *testing.T) {
	s := session{groups: someGroups(14, 2)}
	dir := t.TempDir()
	first, err := s.trainer(t, dir, false)
	require.NoError(t, err)
	losses(t, first, 4)
	for name, change := range map[string]func(s *session){
		"groups":      func(s *session) { s.groups = someGroups(13, 2) },
		"loss":        func(s *session) { s.opts.Loss = reward.BradleyTerry{Centring: 0.01} },
		"micro_means": func(s *session) { s.opts.MicroMeans = true },
	} {
		t.Run(name, func(t *testing.T) {
			other := s
			change(&other)
			tr, err := other.trainer(t, dir, true)
			if err == nil {
				for _, err = range tr.Steps(t.Context()) {
					break
				}
			}
			if name == "groups" {
				require.ErrorIs(t, err, reward.ErrDataChanged)
				return
			}
			require.ErrorIs(t, err, train.ErrOptionsChanged)
			require.ErrorContains(t, err, name)
		})
	}
}
