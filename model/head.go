package model

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// HeadKind says what a Head scores.
type HeadKind uint8

// The kinds of heads.
const (
	// SequenceClassification scores a text by its last token: one score a label,
	// or a single one, as reward models have.
	SequenceClassification HeadKind = iota + 1
	// TokenClassification scores every token.
	TokenClassification
	// Value is a scalar for every token beside the language model's head: the
	// critic of PPO, as TRL's AutoModelForCausalLMWithValueHead stores it.
	Value
)

// String is the end of the class name in transformers, "Value" for TRL's.
func (k HeadKind) String() string {
	switch k {
	case SequenceClassification:
		return "ForSequenceClassification"
	case TokenClassification:
		return "ForTokenClassification"
	case Value:
		return "Value"
	}
	return fmt.Sprintf("HeadKind(%d)", uint8(k))
}

// maxLabels bounds the number of labels, which a configuration may claim.
const maxLabels = 1 << 20

// ErrHead is wrapped by errors about heads.
var ErrHead = errors.New("model: head is wrong")

// Head maps hidden states to scores: the logits of labels, rewards or values. It
// stands beside a Model, which computes the hidden states.
type Head struct {
	// Kind says what is scored.
	Kind HeadKind
	// Labels names the columns of the scores, as id2label in config.json does.
	Labels []string
	// Linear is the layer, (labels, hidden size), with a bias or none as the class
	// of transformers has it.
	Linear *nn.Linear
	// Problem is problem_type in config.json: "regression",
	// "single_label_classification", "multi_label_classification", or "" where the
	// file does not say.
	Problem string
}

// Labels are the names that transformers gives n labels by default.
func Labels(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("LABEL_%d", i))
	}
	return names
}

// NewHead makes a fresh head for m with one column a label, nil standing for one.
// Weights are drawn from N(0, 0.02²), which is the initializer_range of nearly
// every family, biases are zero; all weights of a Value are zero, so that it
// starts with no opinion. Values are float64 where m is and float32 elsewhere, and
// trainable.
func NewHead(m Model, kind HeadKind, labels []string, seed uint64) (*Head, error) {
	if len(labels) == 0 {
		labels = Labels(1)
	}
	switch {
	case kind < SequenceClassification || kind > Value:
		return nil, fmt.Errorf("%w: kind is %v, want SequenceClassification, TokenClassification or Value", ErrHead, kind)
	case kind == Value && len(labels) != 1:
		return nil, fmt.Errorf("%w: a value head has %d labels, want 1", ErrHead, len(labels))
	case len(labels) > maxLabels:
		return nil, fmt.Errorf("%w: %d labels, want at most %d", ErrHead, len(labels), maxLabels)
	}
	path, bias := headShape(m.Config(), kind)
	src, o := Source(Random{Seed: seed}), LoadOptions{Weights: tensor.Float32}
	if m.Embedding().Weight.Dtype() == tensor.Float64 {
		o.Weights = tensor.Float64
	}
	l := NewLoader(m.Config(), src, o)
	h := l.head(kind, path, labels, bias)
	if err := l.Err(); err != nil {
		return nil, err
	}
	for _, p := range h.Params() {
		if kind == Value {
			clear(p.Data())
			clear(p.Data64())
		}
		if err := p.SetTrainable(true); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// headShape is the path of a head of transformers or TRL, and whether it has a
// bias.
func headShape(c *Config, kind HeadKind) (path string, bias bool) {
	switch {
	case kind == Value:
		return "v_head.summary", true
	case kind == TokenClassification && (c.ModelType == "gpt2" || c.ModelType == "gpt_neox"):
		return "classifier", true
	}
	return "score", kind == TokenClassification
}

// LoadHead loads a head of the checkpoint, with a bias where the file has one.
// Call it before the model is built from l, so that its tensors are not reported
// as left over; what is wrong with it is reported with the model's faults.
func (l *Loader) LoadHead(kind HeadKind, labels []string) *Head {
	path, _ := headShape(l.config, kind)
	for _, other := range []string{"score", "classifier"} { // whatever the family usually has
		if kind != Value && !l.have[path+".weight"] && l.have[other+".weight"] {
			path = other
		}
	}
	return l.head(kind, path, labels, l.have[path+".bias"])
}

// head reads the layer. It is not among the model's parameters.
func (l *Loader) head(kind HeadKind, path string, labels []string, bias bool) *Head {
	h := &Head{Kind: kind, Labels: labels, Linear: &nn.Linear{Path: path}}
	own := len(l.params)
	h.Linear.Weight = l.Matrix(path+".weight", len(labels), l.config.HiddenSize)
	if bias {
		h.Linear.Bias = l.Vector(path+".bias", len(labels))
	}
	l.params = l.params[:own]
	return h
}

// Params lists the head's parameters by checkpoint name.
func (h *Head) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		for _, p := range []*tensor.Param{h.Linear.Weight, h.Linear.Bias} {
			if p != nil && !yield(p.Name(), p) {
				return
			}
		}
	}
}

// Scores are the scores (R,C) of the given rows (R, int32) of the hidden states
// (N,D), with the adapter that is active; rows nil stands for all. A sequence is
// scored at its last real token: LastRows lists those.
func (h *Head) Scores(in *Inputs, hidden, rows *tensor.Node) *tensor.Node {
	if rows != nil {
		hidden = tensor.Gather(hidden, rows)
	}
	return h.Linear.Forward(in, hidden)
}

// LastRows appends the row of the last token of each segment to dst. Packed
// batches hold no padding, so this is the last real token.
func (b Batch) LastRows(dst []int32) []int32 {
	for _, end := range b.Ends {
		dst = append(dst, end-1)
	}
	return dst
}
