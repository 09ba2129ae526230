package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func Example() {
	f := Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024}
	set := flag.NewFlagSet("example", flag.ContinueOnError)
	f.Register(set)
	if err := set.Parse([]string{"-steps", "5", "-full"}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Steps, f.Full, f.LearningRate(), f.Validate())
	// Output: 5 true 2e-05 <nil>
}

func TestValidateReportsEveryFault(t *testing.T) {
	f := Flags{Steps: -1, Resume: true, LR: -1}
	err := f.Validate()
	for _, name := range []string{"-rank: got 0, want at least 1", "-steps: got -1", "-batch-tokens", "-max-length", "-lr: got -1", "-resume: got no -out"} {
		assert.ErrorContains(t, err, name)
	}
}

// TestWhatMayChange lists the flags that a resumed run may have otherwise.
func TestWhatMayChange(t *testing.T) {
	a, b := Flags{}, Flags{Out: "x", Resume: true, SaveEvery: 3, Threads: 2, JSON: true}
	one, err := json.Marshal(a)
	require.NoError(t, err)
	two, err := json.Marshal(b)
	require.NoError(t, err)
	assert.Equal(t, string(one), string(two))
}

func TestRowsAreLimitedAndHeldOut(t *testing.T) {
	f := Flags{Limit: 10, EvalLimit: 3}
	training, evaluation, err := f.Rows()
	require.NoError(t, err)
	assert.Len(t, training, 10)
	assert.Len(t, evaluation, 3)
	f.Model = "some"
	_, _, err = f.Rows()
	assert.ErrorContains(t, err, "-data")
}

func TestTemplate(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	none, err := Template(c, "", nil)
	require.NoError(t, err)
	assert.Nil(t, none)
	chatml, err := Template(c, "chatml", nil)
	require.NoError(t, err)
	assert.True(t, chatml.Marked())
	_, err = Template(c, "klingon", nil)
	assert.ErrorContains(t, err, "-template")
	c.Template = "{{ bos_token }}"
	own, err := Template(c, "", nil)
	require.NoError(t, err)
	assert.False(t, own.Marked())
	c.Template = "{% if %}"
	_, err = Template(c, "", nil)
	assert.ErrorContains(t, err, "the embedded tiny model: chat template")
}
