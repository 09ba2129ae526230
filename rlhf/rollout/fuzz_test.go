package rollout_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// FuzzRollout reads saved rollouts: whatever the bytes, an error or a rollout that is
// written as it was read.
func FuzzRollout(f *testing.F) {
	c, err := rollout.New(prompts(3), &parrot{}, []rollout.Reward{{By: right}}, rollout.Options{Prompts: 2, Completions: 2})
	require.NoError(f, err)
	r, err := c.Next(f.Context(), 4)
	require.NoError(f, err)
	good, err := json.Marshal(r)
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"prompts":[{"ids":[1]}],"completions":[{"prompt":-1,"rewards":"AAAAAAAAAAA="}]}`))
	f.Add([]byte(`{"completions":[{"ids":[1,2],"roles":"AA==","rewards":"AAAAAAAAAAA="}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r rollout.Rollout
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		once, err := json.Marshal(&r)
		require.NoError(t, err)
		var again rollout.Rollout
		require.NoError(t, json.Unmarshal(once, &again))
		twice, err := json.Marshal(&again)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
