package genrm

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// maxVerdict bounds the tokens of both verdicts together.
const maxVerdict = 64

// pass computes log-probabilities of two verdicts behind one text.
type pass struct {
	texts   policy.Texts
	logProb *tensor.Node // (M)
	run     *tensor.Program
	batch   data.Packed
	tokens  int
	values  []float64
}

// compile builds the program.
func (p *pass) compile(o Options) error {
	p.tokens = o.Tokens
	g, err := tensor.Build(func(g *tensor.Graph) {
		p.texts.Declare(g, policy.Size{Tokens: o.Tokens + maxVerdict, Segments: 3, Targets: maxVerdict})
		in := p.texts.Inputs(o.Adapter)
		p.logProb = model.Distribution(o.Model, in, o.Model.Hidden(g, in)).LogProbs(p.texts.Rows, p.texts.Targets).LogProb
	})
	if err != nil {
		return err
	}
	p.run, err = tensor.Compile(g, tensor.Nodes{p.logProb}, tensor.CompileOptions{Device: o.Device, Axes: p.texts.Axes(nil, nil)})
	return err
}

// verdicts returns the log-probability of each verdict behind the text, in nats.
func (p *pass) verdicts(text, yes, no []int32) (logYes, logNo float64, err error) {
	if len(text) > p.tokens || len(yes)+len(no) > maxVerdict {
		return 0, 0, fmt.Errorf("got a text of %d tokens and verdicts of %d, want at most %d (Options.Tokens) and %d", len(text), len(yes)+len(no), p.tokens, maxVerdict)
	}
	p.batch.Reset()
	p.segment(text, 0, -1)
	for _, verdict := range [][]int32{yes, no} {
		p.batch.Rows, p.batch.Targets = append(p.batch.Rows, int32(len(text)-1)), append(p.batch.Targets, verdict[0])
		first := int32(len(p.batch.Tokens))
		for i, id := range verdict[1:] {
			p.batch.Rows, p.batch.Targets = append(p.batch.Rows, first+int32(i)), append(p.batch.Targets, id)
		}
		if len(verdict) > 1 {
			p.segment(verdict[:len(verdict)-1], len(text), 0)
		}
	}
	if err := p.texts.Bind(p.run, &p.batch); err != nil {
		return 0, 0, err
	}
	if err := p.run.Run(); err != nil {
		return 0, 0, err
	}
	if p.values, err = policy.AppendValues(p.values[:0], p.run, p.logProb); err != nil {
		return 0, 0, err
	}
	for i, lp := range p.values {
		if i < len(yes) {
			logYes += lp
		} else {
			logNo += lp
		}
	}
	return logYes, logNo, nil
}

// segment appends tokens that stand behind those of segment prefix, -1 for none.
func (p *pass) segment(ids []int32, position int, prefix int32) {
	for i, id := range ids {
		p.batch.Tokens, p.batch.Positions = append(p.batch.Tokens, id), append(p.batch.Positions, int32(position+i))
	}
	p.batch.Ends, p.batch.Prefix = append(p.batch.Ends, int32(len(p.batch.Tokens))), append(p.batch.Prefix, prefix)
}
