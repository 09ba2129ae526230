package odin_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/odin"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
	"github.com/posttrain/posttrain/train"
)

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// The gradient of the whole loss, by the outputs and by the head, is that of
// differences.
func TestGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, l := range map[string]odin.Loss{"both": {}, "length": {Orthogonal: -1, Length: 0.3}, "angle": {Length: -1, Orthogonal: 2}, "neither": {Length: -1, Orthogonal: -1}} {
		t.Run(name, func(t *testing.T) {
			_, err := gradcheck.Check(gradcheck.Function{
				Inputs: []gradcheck.Input{
					{Name: "outputs", Data: normals(rng, 12), Shape: []int{6, 2}}, {Name: "head", Data: normals(rng, 10), Shape: []int{2, 5}},
					{Name: "last", IDs: []int32{0, 1, 2, 3, 4, 5}}, {Name: "better", IDs: []int32{0, 2, 4}}, {Name: "worse", IDs: []int32{1, 3, 5}}, {Name: "ends", IDs: []int32{1, 2, 3}},
					{Name: "length", Data: []float64{3, 1, 4, 1, 5, 9}, Constant: true},
				},
				Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
					out := in["outputs"]
					zero := tensor.Scale(tensor.Detach(tensor.Gather(reward.Contrast(out, []float64{1, 1}), in["better"])), 0)
					s := reward.Scores{Outputs: out, Head: in["head"], Last: in["last"], Length: in["length"], Better: in["better"], Worse: in["worse"], Margin: zero, PairWeight: tensor.AddScalar(zero, 1), PairEnds: in["ends"]}
					g := l.Build(nil, s).Loss
					return tensor.Nodes{tensor.Add(g, tensor.Scale(tensor.BroadcastRows(odin.Likeness(in["head"]), g), 0.1))}
				},
			}, gradcheck.Options{})
			require.NoError(t, err)
		})
	}
}

// letters is a tokenizer that gives each character its code.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}

const tiny = `{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
	"num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": true}`

func fresh(t testing.TB) reward.Net {
	t.Helper()
	m, err := auto.New([]byte(tiny), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	require.NoError(t, err)
	n, err := odin.Train(m, 1)
	require.NoError(t, err)
	return n
}

// learn trains on comparisons in which the longer answer is better, of all the same
// letters: all there is to learn is length.
func learn(t testing.TB, n reward.Net, l reward.Loss) train.Step {
	t.Helper()
	rows := data.Slice[data.PairRow]{{Prompt: "a:", Chosen: "xxxxx", Rejected: "x"}, {Prompt: "b:", Chosen: "xxxxxx", Rejected: "xx"}, {Prompt: "c:", Chosen: "xxxx", Rejected: "xxx"}}
	groups, _, err := reward.Prepare(t.Context(), reward.Pairs(rows), letters{}, reward.PrepareOptions{})
	require.NoError(t, err)
	src, err := reward.NewBatcher(groups, reward.BatchOptions{GroupsPerStep: 3})
	require.NoError(t, err)
	tr, err := reward.New(n, src, reward.Options{Loss: l}, train.Options{Optimizer: train.AdamW{LR: 5e-3}, MaxSteps: 60})
	require.NoError(t, err)
	var last train.Step
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		last = s
	}
	for name, want := range map[string][2]float64{"length_correlation/length": {0.8, 1.001}, "accuracy": {1, 1}} {
		v, ok := last.Metrics.Value(name)
		assert.True(t, ok && v >= want[0] && v <= want[1], "%s is %g", name, v)
	}
	return last
}

func scores(t testing.TB, n reward.Net) []float64 {
	t.Helper()
	m, err := reward.NewModel(n, reward.ModelOptions{Encoder: letters{}, Tokens: 64})
	require.NoError(t, err)
	s, err := m.ScoreSamples(t.Context(), []reward.Sample{{Prompt: "a:", Completion: "xxxxx"}, {Prompt: "a:", Completion: "x"}})
	require.NoError(t, err)
	return s
}

// Through the public trainer the length head takes what length explains; quality is
// then a reward model of one score, saved as any, and is the same as the trained net
// with length left out.
func TestQualityIsAModel(t *testing.T) {
	n := fresh(t)
	learn(t, n, odin.Loss{})
	both := scores(t, n)
	q, err := odin.Quality(n)
	require.NoError(t, err)
	quality := scores(t, q)
	assert.Greater(t, both[0]-both[1], 1.0)
	assert.Less(t, quality[0]-quality[1], 0.5*(both[0]-both[1]))
	n.Mix = []float64{1, 0}
	assert.Equal(t, scores(t, n), quality)
	dir := t.TempDir() + "/quality"
	require.NoError(t, auto.Save(dir, &auto.Checkpoint{Model: q.Model, Head: q.Head}, auto.SaveOptions{}))
	c, err := auto.Open(dir, auto.Options{NoTokenizer: true})
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, quality, scores(t, reward.Net{Model: c.Model, Head: c.Head}))
}

// With an adapter the head that it carries is divided.
func TestAdapters(t *testing.T) {
	n := fresh(t)
	var err error
	n.Adapter, err = lora.Attach(n.Headed(), "default", lora.Config{Rank: 4})
	require.NoError(t, err)
	learn(t, n, odin.Loss{})
	both := scores(t, n)
	q, err := odin.Quality(n)
	require.NoError(t, err)
	quality := scores(t, q)
	assert.Less(t, quality[0]-quality[1], 0.5*(both[0]-both[1]))
}

func TestRefusals(t *testing.T) {
	n := fresh(t)
	_, err := odin.Quality(reward.Net{Model: n.Model})
	assert.ErrorContains(t, err, "got no head of two labels")
	h, err := model.NewHead(n.Model, model.SequenceClassification, nil, 1)
	require.NoError(t, err)
	src, err := reward.NewBatcher([]reward.Group{{Answers: []reward.Candidate{{IDs: []int32{1}}, {IDs: []int32{2, 3}}}}}, reward.BatchOptions{})
	require.NoError(t, err)
	_, err = reward.New(reward.Net{Model: n.Model, Head: h}, src, reward.Options{Loss: odin.Loss{}}, train.Options{MaxSteps: 1})
	assert.ErrorContains(t, err, "got a head of 1 labels, want 2")
	_, err = tensor.Build(func(g *tensor.Graph) { odin.Likeness(tensor.Input(g, tensor.Float64, "w", 3, 4)) })
	assert.ErrorContains(t, err, "want two rows")
}
