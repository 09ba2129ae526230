package adalora

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
	"github.com/stretchr/testify/require"
)

const config = `{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,
	"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,"hidden_act":"silu","tie_word_embeddings":false}`

// attach gives a tiny model an adapter of rank 8 on both down_proj.
func attach(t testing.TB, b lora.Budget) *lora.Adapter {
	c, family, err := auto.ParseConfig([]byte(config))
	require.NoError(t, err)
	m, err := family.New(c, model.NewLoader(c, model.Random{Seed: 1}, model.LoadOptions{Weights: tensor.Float64}))
	require.NoError(t, err)
	a, err := lora.Attach(m, "default", lora.Config{Method: lora.AdaLoRA, Rank: 8, Alpha: 8, Targets: []string{"down_proj"}, Budget: b})
	require.NoError(t, err)
	return a
}

// planted is a stage whose loss is half the square of the distance between each
// layer's update and its target.
type planted struct {
	adapter *lora.Adapter
	layers  []*nn.Spectral
	targets [][]float64
	steps   int
	loss    float64
}

// plant makes the target of layer 0 noise and that of layer 1 of rank 4 beside it.
func plant(a *lora.Adapter) *planted {
	r := rand.New(rand.NewPCG(1, 2))
	s := &planted{adapter: a}
	for _, u := range a.Spectral() {
		out, in := u.B.Shape()[0], u.A.Shape()[1]
		target := make([]float64, out*in)
		for i := range target {
			target[i] = 0.02 * r.NormFloat64()
		}
		for range 4 * len(s.layers) {
			left, right := make([]float64, out), make([]float64, in)
			for i := range left {
				left[i] = r.NormFloat64() / 2
			}
			for i := range right {
				right[i] = r.NormFloat64() / 2
			}
			for i := range target {
				target[i] += left[i/in] * right[i%in]
			}
		}
		s.layers, s.targets = append(s.layers, u), append(s.targets, target)
	}
	return s
}

func (s *planted) Name() string { return "planted" }

func (s *planted) Parameters() []train.Parameter {
	var list []train.Parameter
	for _, p := range s.adapter.Params() {
		list = append(list, p)
	}
	return list
}

func (s *planted) Next(_ context.Context, b *train.Batch) error {
	b.Weights, b.Tokens = append(b.Weights[:0], 1), 1
	s.steps++
	return nil
}

// Backward differentiates by hand: with G = scale·(ΔW − T) the gradient of λ_k is
// B_kᵀ·G·A_k, of B_k λ_k·G·A_k and of A_k λ_k·Gᵀ·B_k.
func (s *planted) Backward(_ int, seed float64) error {
	s.loss = 0
	for n, u := range s.layers {
		a, e, b := u.A.Data64(), u.E.Data64(), u.B.Data64()
		r, in := len(e), u.A.Shape()[1]
		for i, want := range s.targets[n] {
			o, c, got := i/in, i%in, 0.0
			for k := range r {
				got += u.Scale * b[o*r+k] * e[k] * a[k*in+c]
			}
			s.loss += (got - want) * (got - want) / 2
			g := seed * u.Scale * (got - want)
			for k := range r {
				u.E.Grad64()[k] += g * b[o*r+k] * a[k*in+c]
				u.B.Grad64()[o*r+k] += g * e[k] * a[k*in+c]
				u.A.Grad64()[k*in+c] += g * e[k] * b[o*r+k]
			}
		}
	}
	return nil
}

func (s *planted) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	return nil
}

func (s *planted) State() (json.RawMessage, error)     { return json.Marshal(s.steps) }
func (s *planted) Restore(state json.RawMessage) error { return json.Unmarshal(state, &s.steps) }
func (s *planted) SaveWeights(dir string) error        { return s.adapter.Save(dir, "") }
func (s *planted) LoadWeights(dir string) error        { return s.adapter.Restore(dir) }

var budget = lora.Budget{TargetRank: 2, TotalSteps: 300, Warmup: 50, Final: 100, Interval: 5, Orthogonality: 0.1}

// run trains to the end, or for some steps, and returns the adapter.
func run(t *testing.T, out string, steps int) (*lora.Adapter, *Allocator, *planted) {
	a := attach(t, budget)
	allocator, err := New(a)
	require.NoError(t, err)
	s := plant(a)
	tr, err := train.New(s, train.Options{MaxSteps: budget.TotalSteps, Optimizer: train.AdamW{LR: 0.02}, Schedule: train.Constant{},
		Out: out, Resume: out != "", SaveEvery: 100, Companion: allocator})
	require.NoError(t, err)
	for step, err := range tr.Steps(context.Background()) {
		require.NoError(t, err)
		if step.N == steps {
			break
		}
	}
	return a, allocator, s
}

// TestRankGoesWhereItIsNeeded is the check of F10 of the survey's notes: rank 4 is
// planted in one layer and nothing but noise in the other; 80 % or more of the final
// ranks are to be in the right one.
func TestRankGoesWhereItIsNeeded(t *testing.T) {
	a, allocator, s := run(t, "", budget.TotalSteps)
	ranks := allocator.Ranks()
	require.Equal(t, map[string]int{"model.layers.0.mlp.down_proj": 0, "model.layers.1.mlp.down_proj": 4}, ranks)
	require.Less(t, s.loss, 0.15, "the noise stays")
	before := map[string][]float64{}
	for path, u := range a.Spectral() {
		before[path] = update(u)
	}
	require.NoError(t, a.Prune())
	for path, u := range a.Spectral() {
		require.Equal(t, max(1, ranks[path]), u.E.Len())
		require.InDeltaSlice(t, before[path], update(u), 1e-12, "the update is what it was")
	}
	dir := t.TempDir()
	require.NoError(t, a.Save(dir, ""))
	require.Equal(t, []bool{true, false, false, false, false, false, false, false}, a.Config().Budget.Kept[0].Value)
	a.Remove()
	b, err := lora.Load(a.Model(), "again", dir)
	require.NoError(t, err)
	require.Equal(t, a.Config(), b.Config())
	for path, u := range b.Spectral() {
		require.InDeltaSlice(t, before[path], update(u), 1e-12, "a file has what is left")
	}
}

// update is Scale·B·diag(E)·A.
func update(u *nn.Spectral) []float64 {
	a, e, b := u.A.Data64(), u.E.Data64(), u.B.Data64()
	r, in := len(e), u.A.Shape()[1]
	w := make([]float64, len(b)/r*in)
	for i := range w {
		for k := range r {
			w[i] += u.Scale * b[i/in*r+k] * e[k] * a[k*in+i%in]
		}
	}
	return w
}

func TestResumedIsNeverStopped(t *testing.T) {
	whole, _, _ := run(t, t.TempDir(), budget.TotalSteps)
	dir := t.TempDir()
	run(t, dir, 230) // the checkpoint before is of step 200
	again, _, s := run(t, dir, budget.TotalSteps)
	require.Equal(t, budget.TotalSteps, s.steps)
	want := map[string][]float64{}
	for name, p := range whole.Params() {
		want[name] = p.Data64()
	}
	for name, p := range again.Params() {
		require.Equal(t, want[name], p.Data64(), name)
	}
}

func TestSchedule(t *testing.T) {
	b := lora.Budget{TargetRank: 2, TotalSteps: 100, Warmup: 10, Final: 30, Interval: 10}
	for step, want := range map[int]struct {
		budget int
		due    bool
	}{
		1: {80, false}, 10: {80, false}, 20: {20 + 60*125/216, true}, 21: {20 + 33, false}, 40: {20 + 60/8, true},
		69: {20, false}, 70: {20, true}, 100: {20, true},
	} {
		budget, due := Schedule(b, 80, 20, step)
		require.Equal(t, want.due, due, step)
		require.InDelta(t, want.budget, budget, 2, step)
	}
	budget, _ := Schedule(b, 80, 20, 20)
	require.Equal(t, 20+int(60*math.Pow(1-10./60, 3)), budget)
}

// TestPenaltyGradient compares the penalty's gradient with differences.
func TestPenaltyGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, columns := range []bool{false, true} {
		x := make([]float64, 3*5)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		_, grad := orthogonality(x, 3, columns)
		for i := range x {
			const h = 1e-5
			at := func(d float64) float64 {
				y := append([]float64(nil), x...)
				y[i] += d
				v, _ := orthogonality(y, 3, columns)
				return v
			}
			require.InEpsilon(t, (at(h)-at(-h))/(2*h), grad[i], 1e-6)
		}
	}
	exact := []float64{1, 0, 0, 1, 0, 0}
	v, _ := orthogonality(exact, 2, true)
	require.Zero(t, v, "columns of the unit matrix")
}

func TestNewWantsAdaLoRA(t *testing.T) {
	a := attach(t, budget)
	m := a.Model()
	a.Remove()
	b, err := lora.Attach(m, "plain", lora.Config{})
	require.NoError(t, err)
	_, err = New(b)
	require.ErrorContains(t, err, `adapter "plain" has method "", want "ADALORA"`)
	require.ErrorIs(t, b.Prune(), lora.ErrConfig)
	s, err := New(a)
	require.NoError(t, err)
	require.NoError(t, a.SetTrainable(false))
	require.ErrorContains(t, s.Gradients(1, &train.Metrics{}), "has no gradient")
	require.Error(t, s.LoadState(t.TempDir()))
}
