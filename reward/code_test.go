package reward_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/sandbox"
)

// scripted is a Runner that only looks at what it is given.
type scripted func(p sandbox.Program) (sandbox.Result, error)

func (f scripted) Run(_ context.Context, p sandbox.Program) (sandbox.Result, error) { return f(p) }

func TestCodeRunsTheLastBlockWithItsTests(t *testing.T) {
	var got sandbox.Program
	exit := 0
	v, err := reward.Code(scripted(func(p sandbox.Program) (sandbox.Result, error) {
		got = p
		text := string(p.Files["main.py"])
		return sandbox.Result{Exit: exit, Stdout: []byte("noise\n" + text[strings.LastIndex(text, "passed "):strings.LastIndex(text, "\"")] + "\n")}, nil
	}), reward.CodeOptions{})
	require.NoError(t, err)
	s := reward.Sample{
		Completion: "First:\n```python\nwrong()\n```\nthen ```sh\nls\n``` and\n```Python\ndef f(): return 4\n```\ndone ```python\nunclosed",
		Reference:  "assert f() == 4",
	}
	value, err := v.Verify(t.Context(), s)
	require.NoError(t, err)
	assert.Equal(t, 1.0, value)
	assert.Equal(t, []string{"python3", "main.py"}, got.Command)
	assert.Regexp(t, "^def f\\(\\): return 4\n\nassert f\\(\\) == 4\nprint\\(\"\\\\npassed [0-9a-f]{32}\"\\)\n$", string(got.Files["main.py"]))
	exit = 1
	value, err = v.Verify(t.Context(), s)
	require.NoError(t, err)
	assert.Zero(t, value)
	exit = 127
	_, err = v.Verify(t.Context(), s)
	assert.ErrorContains(t, err, "did not start")
	got = sandbox.Program{}
	value, err = v.Verify(t.Context(), reward.Sample{Completion: "no code, ```c\nmain(){}\n```"})
	require.NoError(t, err)
	assert.Zero(t, value)
	assert.Empty(t, got.Command, "nothing was run")
}

func TestCodeThatIsStoppedIsAnErrorUnlessAskedOtherwise(t *testing.T) {
	stop := scripted(func(sandbox.Program) (sandbox.Result, error) {
		return sandbox.Result{}, fmt.Errorf("%w: too long", sandbox.ErrStopped)
	})
	s := reward.Sample{Completion: "```python\nwhile True: pass\n```"}
	v, err := reward.Code(stop, reward.CodeOptions{})
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), s)
	assert.ErrorIs(t, err, sandbox.ErrStopped)
	v, err = reward.Code(stop, reward.CodeOptions{StoppedIsWrong: true})
	require.NoError(t, err)
	value, err := v.Verify(t.Context(), s)
	require.NoError(t, err)
	assert.Zero(t, value)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = v.Verify(ctx, s)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestCodeRefusesABadSetUp(t *testing.T) {
	_, err := reward.Code(nil, reward.CodeOptions{})
	assert.ErrorIs(t, err, reward.ErrOptions)
	_, err = reward.Code(scripted(nil), reward.CodeOptions{File: "../x"})
	assert.ErrorIs(t, err, reward.ErrOptions)
}

// TestCodeInASandbox runs shell scripts as a model may write them.
func TestCodeInASandbox(t *testing.T) {
	b, err := sandbox.NewBubblewrap(sandbox.Options{})
	if errors.Is(err, sandbox.ErrUnavailable) {
		t.Skipf("bubblewrap: %v", err)
	}
	require.NoError(t, err)
	v, err := reward.Code(b, reward.CodeOptions{Language: "sh", File: "main.sh", Command: []string{"sh", "main.sh"},
		Program: func(block string, s reward.Sample, mark string) (string, error) {
			return "set -e\n" + block + "\n" + s.Reference + "\necho " + mark + "\n", nil
		}})
	require.NoError(t, err)
	tests := `[ "$(double 21)" = 42 ]`
	for block, want := range map[string]float64{
		"double() { echo $(($1 * 2)); }": 1,
		"double() { echo $1; }":          0,
		"exit 1":                         0,
		"exit 0":                         0, // before the tests
		"not a program (":                0,
	} {
		value, err := v.Verify(t.Context(), reward.Sample{Completion: "```sh\n" + block + "\n```", Reference: tests})
		require.NoError(t, err, block)
		assert.Equal(t, want, value, block)
	}
}
