package saved_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/saved"
	"github.com/posttrain/posttrain/train"
)

// source has a position and a name.
type source struct {
	at   data.Cursor
	name string
}

func (s *source) Cursor() data.Cursor      { return s.at }
func (s *source) Seek(c data.Cursor) error { s.at = c; return nil }
func (s *source) Fingerprint() string      { return s.name }
func (s *source) Steps(epochs int) int     { return 3 * epochs }

func TestStateGoesThroughJSONAndIsCompared(t *testing.T) {
	changed := errors.New("data changed")
	options := map[string]string{"beta": "0.1", "loss": saved.Described("ipo", struct{ Over int }{2})}
	raw, err := json.Marshal(saved.New(&source{data.Cursor{Epoch: 1, Position: 5}, "pairs"}, 7, options))
	require.NoError(t, err)
	require.JSONEq(t, `{"cursor": {"epoch": 1, "position": 5}, "data": "pairs", "steps": 7, "options": {"beta": "0.1", "loss": "ipo {\"Over\":2}"}}`, string(raw))
	var st saved.State
	require.NoError(t, json.Unmarshal(raw, &st))

	same := &source{name: "pairs"}
	require.NoError(t, st.Resume(same, options, changed))
	require.Equal(t, data.Cursor{Epoch: 1, Position: 5}, same.at)

	other := &source{name: "others"}
	require.ErrorIs(t, st.Resume(other, options, changed), changed)
	err = st.Resume(&source{name: "pairs"}, map[string]string{"beta": "0.2"}, changed)
	require.ErrorIs(t, err, train.ErrOptionsChanged)
	require.ErrorContains(t, err, "beta: got 0.2, want 0.1 as before")
	require.ErrorContains(t, st.Resume("text", options, changed), "the source (string) has no cursor")
	require.ErrorContains(t, saved.New("text", 7, options).Resume(same, options, changed), "has no cursor")
	require.Zero(t, other.at, "a source that is refused stays where it is")
}

func TestStepsOfWholeEpochsAreCounted(t *testing.T) {
	n, err := saved.CountSteps(&source{}, 2)
	require.NoError(t, err)
	require.Equal(t, 6, n)
	for _, c := range []struct {
		src    any
		epochs float64
	}{{&source{}, 1.5}, {"text", 1}} {
		_, err = saved.CountSteps(c.src, c.epochs)
		require.ErrorContains(t, err, "set MaxSteps")
	}
}
