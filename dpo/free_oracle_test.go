package dpo_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor"
)

// freeCase is a case of losses without reference: logits of chosen rows, then of
// rejected rows.
type freeCase struct {
	ID     string `json:"id"`
	Edge   string `json:"edge"`
	Params struct {
		Beta      float64 `json:"beta"`
		Smoothing float64 `json:"label_smoothing"`
		NLL       float64 `json:"cpo_alpha"`
		Margin    float64 `json:"simpo_gamma"`
		Alpha     float64 `json:"alpha"`
		LossType  string  `json:"loss_type"`
		Gold      float64 `json:"tpo_alpha"`
		Lead      float64 `json:"tpo_l_gamma"`
	} `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss       float64            `json:"loss"`
		PerExample array              `json:"per_example"`
		Grads      map[string]array   `json:"grads"`
		Extra      map[string]array   `json:"extra"`
		Metrics    map[string]float64 `json:"metrics"`
	} `json:"outputs"`
	Float32 struct {
		Fragile bool `json:"fragile"`
	} `json:"float32_run"`
}

// loss is the loss of a case; nil where the package has none.
func (c *freeCase) loss(family string) dpo.Loss {
	p := c.Params
	switch {
	case family == "orpo":
		return dpo.ORPO{}
	case family == "tpo" && p.Gold != 0:
		return nil
	case p.LossType == "tpo-l":
		return dpo.SimPO{Margin: &p.Lead, LabelSmoothing: p.Smoothing}
	case p.Alpha != 0 && p.LossType == "simpo":
		return dpo.AlphaPO{Alpha: p.Alpha, Margin: &p.Margin, LabelSmoothing: p.Smoothing}
	case p.Alpha != 0:
		return dpo.AlphaPO{Alpha: p.Alpha, LabelSmoothing: p.Smoothing, Over: dpo.PerSequence}
	}
	switch p.LossType {
	case "sigmoid":
		return dpo.CPO{LabelSmoothing: p.Smoothing, NLLWeight: &p.NLL}
	case "hinge":
		return dpo.CPOHinge{NLLWeight: &p.NLL}
	case "ipo":
		return dpo.CPOIPO{NLLWeight: &p.NLL}
	}
	simpo := dpo.SimPO{Margin: &p.Margin, LabelSmoothing: p.Smoothing}
	if p.NLL != 0 {
		return dpo.Sum{{Loss: simpo, Weight: 1}, {Loss: dpo.NLL{}, Weight: p.NLL}}
	}
	return simpo
}

func TestOracleReferenceFreeLosses(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		for _, family := range []string{"cpo", "orpo", "tpo"} {
			var file struct {
				Cases []freeCase `json:"cases"`
			}
			oracle.ReadJSON(t, filepath.Join(root, family+".json.gz"), &file)
			for i := range file.Cases {
				c := &file.Cases[i]
				l := c.loss(family)
				if l == nil {
					tally.Skip(c.ID, "triples with a gold answer are no pairs")
					continue
				}
				t.Run(c.ID, func(t *testing.T) {
					compareFree[float64](t, c, l, loss64Tol)
					if !c.Float32.Fragile {
						compareFree[float32](t, c, l, loss32Tol)
					}
					tally.Compared(1)
				})
			}
		}
	}
}

// free is a case as a program over its logits.
type free[T tensor.Float] struct {
	batch  scored[T]
	rows   []int32 // of the answers' tokens, in the fixture's rows·width
	ids    []int32
	prompt struct{ rows, ids, ends []int32 }
	logits *tensor.Param
	run    *tensor.Program
	terms  dpo.Terms
	loss   *tensor.Node
}

func compareFree[T tensor.Float](t *testing.T, c *freeCase, l dpo.Loss, tol float64) {
	f := layOutFree[T](c)
	f.build(t, c, l)
	require.NoError(t, f.run.Run())
	n := float64(len(f.batch.chosen))
	losses, total := values[T](t, f.run, f.loss), 0.0
	for _, v := range losses {
		total += v / n
	}
	near(t, []float64{c.Outputs.Loss}, []float64{total}, tol, "loss")
	nll := map[string]float64{}
	for _, m := range f.terms.Metrics {
		v := values[T](t, f.run, m.Value)
		nll[m.Name] = average(v)
		if m.Name == "nll_loss" { // the fixture's losses of examples are without it
			w := c.Params.NLL
			if l.Name() == "orpo" {
				w = 1
			}
			for i := range losses {
				losses[i] -= w * v[i]
			}
		}
	}
	if _, sum := l.(dpo.Sum); !sum {
		near(t, c.Outputs.PerExample.Data, losses, tol*max(1, 1e-2/c.smallest()), "losses")
	}
	if tol == loss32Tol {
		tol *= grad32Factor
	}
	near(t, c.Outputs.Grads["logits"].Data, gradient[T](f.logits), tol, "gradient")
	if tol == loss64Tol || c.Edge == "" { // log-probabilities of -1e-8 have no digits in float32
		f.compareMetrics(t, c, nll, tol)
	}
}

// smallest is the largest loss of an example, which bounds how many digits are left
// of it once the supervised term has been taken off again.
func (c *freeCase) smallest() float64 {
	most := lossFloor
	for _, v := range c.Outputs.PerExample.Data {
		most = max(most, v)
	}
	return most
}

// compareMetrics checks what is logged, but for logits/*, which TRL means over
// padding too.
func (f *free[T]) compareMetrics(t *testing.T, c *freeCase, own map[string]float64, tol float64) {
	for i, names := range [][2]string{{"rewards/chosen", "logps/chosen"}, {"rewards/rejected", "logps/rejected"}} {
		near(t, []float64{c.Outputs.Metrics[names[0]]}, []float64{average(values[T](t, f.run, f.terms.Rewards[i]))}, tol, names[0])
		near(t, []float64{c.Outputs.Metrics[names[1]]}, []float64{average(values[T](t, f.run, f.terms.LogProbs[i]))}, tol, names[1])
	}
	for name, v := range own {
		near(t, []float64{c.Outputs.Metrics[name]}, []float64{v}, tol, name)
	}
}

func layOutFree[T tensor.Float](c *freeCase) *free[T] {
	f := &free[T]{}
	mask, live, ids := c.Inputs["completion_mask"], c.Inputs["attention_mask"], c.Inputs["input_ids"]
	rows, width := mask.Shape[0], mask.Shape[1]
	for row := range rows {
		for i := 1; i < width; i++ {
			at := row*width + i
			switch {
			case live.Data[at] == 0:
			case mask.Data[at] != 0:
				f.rows, f.ids = append(f.rows, int32(at-1)), append(f.ids, int32(ids.Data[at]))
			case row < rows/2:
				f.prompt.rows, f.prompt.ids = append(f.prompt.rows, int32(at-1)), append(f.prompt.ids, int32(ids.Data[at]))
			}
		}
		f.batch.ends = append(f.batch.ends, int32(len(f.rows)))
		if row < rows/2 {
			f.prompt.ends = append(f.prompt.ends, int32(len(f.prompt.rows)))
		}
	}
	for i := range rows / 2 {
		f.batch.chosen, f.batch.rejected = append(f.batch.chosen, int32(i)), append(f.batch.rejected, int32(i+rows/2))
	}
	return f
}

func (f *free[T]) build(t *testing.T, c *freeCase, l dpo.Loss) {
	shape, s := c.Inputs["logits"].Shape, &f.batch
	vocab, n := shape[2], T(len(s.chosen))
	logits, unit := make([]T, len(c.Inputs["logits"].Data)), make([]T, vocab*vocab)
	for i, v := range c.Inputs["logits"].Data {
		logits[i] = T(v)
	}
	for i := range vocab {
		unit[i*vocab+i] = 1
	}
	var err error
	f.logits, err = tensor.NewParam("logits", logits, len(logits)/vocab, vocab)
	require.NoError(t, err)
	require.NoError(t, f.logits.SetTrainable(true))
	head, err := tensor.NewParam("head", unit, vocab, vocab)
	require.NoError(t, err)
	chosen := T(s.ends[len(s.chosen)-1])
	ones := make([]T, len(f.rows))
	for i := range ones {
		ones[i] = 1
	}
	floats := map[string][]T{
		"tail": ones, "chosen_tokens": s.counts(s.chosen), "rejected_tokens": s.counts(s.rejected), "seed": {1 / n},
		"mean": {chosen / n}, "text": {(chosen + T(len(f.prompt.rows))) / n},
	}
	ints := map[string][]int32{
		"rows": f.rows, "ids": f.ids, "ends": s.ends, "chosen": s.chosen, "rejected": s.rejected,
	}
	asks := l.(dpo.Described).Traits(c.Params.Beta).Prompt
	if asks {
		ints["prompt_rows"], ints["prompt_ids"], ints["prompt_ends"] = f.prompt.rows, f.prompt.ids, f.prompt.ends
	}
	nodes := map[string]*tensor.Node{}
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		for name, v := range floats {
			nodes[name] = tensor.Input(g, f.logits.Dtype(), name, len(v))
		}
		for name, v := range ints {
			nodes[name] = tensor.Input(g, tensor.Int32, name, len(v))
		}
		d := tensor.Distribution{H: f.logits.Node(g), Head: head.Node(g)}
		lp := d.LogProbs(nodes["rows"], nodes["ids"])
		sums := dpo.TokenNodes{
			LogProb: lp.LogProb, LogSumSquares: tensor.Log(lp.SumSquares), Tail: nodes["tail"], Ends: nodes["ends"], Chosen: nodes["chosen"], Rejected: nodes["rejected"],
			ChosenTokens: nodes["chosen_tokens"], RejectedTokens: nodes["rejected_tokens"], MeanChosenTokensNode: nodes["mean"],
		}
		if asks {
			sums.Prompt, sums.PromptEnds, sums.MeanText = d.LogProbs(nodes["prompt_rows"], nodes["prompt_ids"]).LogProb, nodes["prompt_ends"], nodes["text"]
		}
		f.terms = l.Build(g, sums.LogProbs(c.Params.Beta, dpo.ReverseKL{}))
		f.loss = f.terms.Loss
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(f.loss)}, tensor.Nodes{nodes["seed"]}, tensor.Nodes{f.logits.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: f.logits})
		}
	})
	require.NoError(t, err)
	outs := tensor.Nodes{f.loss, f.terms.Rewards[0], f.terms.Rewards[1], f.terms.LogProbs[0], f.terms.LogProbs[1]}
	for _, m := range f.terms.Metrics {
		outs = append(outs, m.Value)
	}
	f.run, err = tensor.Compile(g, outs, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	for name, v := range floats {
		require.NoError(t, tensor.Bind(f.run, nodes[name], v))
	}
	for name, v := range ints {
		require.NoError(t, tensor.Bind(f.run, nodes[name], v))
	}
}
