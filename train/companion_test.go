package train

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// shadow is a companion that doubles gradients and halves the weight after the step;
// fail is where it fails.
type shadow struct {
	stage *toy
	fail  string
	calls []string
}

var errShadow = errors.New("shadow")

func (c *shadow) call(name string) error {
	c.calls = append(c.calls, name)
	if c.fail == name {
		return errShadow
	}
	return nil
}

func (c *shadow) Gradients(_ int, m *Metrics) error {
	for i := range c.stage.weight().Grad64() {
		c.stage.weight().Grad64()[i] *= 2
	}
	return c.call("gradients")
}

func (c *shadow) Updated(int) error {
	for i := range c.stage.weight().Data64() {
		c.stage.weight().Data64()[i] /= 2
	}
	return c.call("updated")
}

func (c *shadow) SaveState(dir string) error {
	return errors.Join(c.call("save"), os.WriteFile(filepath.Join(dir, "shadow"), []byte("x"), 0o600))
}

func (c *shadow) LoadState(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "shadow"))
	return errors.Join(c.call("load"), err)
}

// TestCompanionTakesPartInEveryStep: with SGD the weight moves by twice the gradient
// and is halved then; a checkpoint has the companion's files.
func TestCompanionTakesPartInEveryStep(t *testing.T) {
	options := func(c *shadow, dir string, resume bool) Options {
		return Options{Optimizer: SGD{LR: 0.1}, Schedule: Constant{}, MaxGradNorm: new(0.0), MaxSteps: 1, Out: dir, Resume: resume, Companion: c}
	}
	alone := newToy(true, []int{0, 1})
	before := append([]float64(nil), alone.weight().Data64()...)
	tr, err := New(alone, options(nil, "", false).withoutCompanion())
	require.NoError(t, err)
	require.NoError(t, tr.Train(t.Context(), Hooks{}))
	s := newToy(true, []int{0, 1})
	c, dir := &shadow{stage: s}, t.TempDir()
	tr, err = New(s, options(c, dir, false))
	require.NoError(t, err)
	require.NoError(t, tr.Train(t.Context(), Hooks{}))
	for i, x := range before {
		moved := alone.weight().Data64()[i] - x
		require.NotZero(t, moved)
		require.InDelta(t, (x+2*moved)/2, s.weight().Data64()[i], 1e-12)
	}
	require.Equal(t, []string{"gradients", "updated", "save"}, c.calls)
	c = &shadow{stage: newToy(true, []int{0, 1})}
	_, err = New(c.stage, options(c, dir, true))
	require.NoError(t, err)
	require.Equal(t, []string{"load"}, c.calls)

	for _, fail := range []string{"gradients", "updated", "save"} {
		s := newToy(true, []int{0, 1})
		tr, err := New(s, options(&shadow{stage: s, fail: fail}, t.TempDir(), false))
		require.NoError(t, err)
		err = tr.Train(t.Context(), Hooks{})
		require.ErrorIs(t, err, errShadow, fail)
		require.ErrorContains(t, err, "companion", fail)
	}
	c = &shadow{stage: newToy(true, []int{0, 1}), fail: "load"}
	_, err = New(c.stage, options(c, dir, true))
	require.ErrorIs(t, err, errShadow)
}

// withoutCompanion makes a companion that is a nil pointer none.
func (o Options) withoutCompanion() Options {
	o.Companion = nil
	return o
}
