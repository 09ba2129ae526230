package soft

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Prompt is a set of virtual tokens of one model.
type Prompt struct {
	name   string
	config Config
	model  model.Model
	enc    *encoder
}

var _ nn.VirtualTokens = (*Prompt)(nil)

// Attach adds a fresh prompt to m under a name that is not in use. Its parameters
// are trainable.
//
// Attaching and removing change the model: no graph may be built from it at the
// same time. Graphs that exist already are not affected.
func Attach(m model.Model, name string, c Config) (*Prompt, error) {
	p, err := newPrompt(m, name, c)
	if err != nil {
		return nil, err
	}
	c = p.config
	if p.enc, err = newEncoder(c, c.tokenWidth(m.Config()), c.resultWidth(m.Config()), p.double()); err != nil {
		return nil, err
	}
	if err := p.enc.initialise(c); err != nil {
		return nil, err
	}
	if len(c.InitIDs) > 0 {
		if err := p.startFrom(c.InitIDs); err != nil {
			return nil, err
		}
	}
	if err := p.SetTrainable(true); err != nil {
		return nil, err
	}
	p.attach()
	return p, nil
}

// newPrompt makes a prompt without parameters, which is not attached.
func newPrompt(m model.Model, name string, c Config) (*Prompt, error) {
	if err := errors.Join(c.Validate(), free(m, name)); err != nil {
		return nil, err
	}
	return &Prompt{name: name, config: c.withDefaults(m), model: m}, nil
}

// double says whether the model computes in float64.
func (p *Prompt) double() bool { return p.model.Embedding().Weight.Dtype() == tensor.Float64 }

// free is nil if a new adapter of m can have that name.
func free(m model.Model, name string) error {
	if name == "" {
		return errors.New("soft: the prompt has no name")
	}
	if model.HasAdapter(m, name) || model.VirtualTokens(m, name) > 0 {
		return fmt.Errorf("soft: the model has an adapter %q already", name)
	}
	return nil
}

// startFrom makes the embeddings those of a text, cut or repeated.
func (p *Prompt) startFrom(ids []int32) error {
	e := p.model.Embedding()
	table, err := e.Weight.Convert(tensor.Float64)
	if err != nil {
		return err
	}
	scale, d := e.Scale, p.model.Config().HiddenSize
	if p.scaled() {
		scale = 1
	}
	var rows []float64
	for i := range p.config.Tokens {
		id := ids[i%len(ids)]
		if id < 0 || int(id) >= p.model.Config().VocabSize {
			return fmt.Errorf("%w: id %d to start from, want 0 to %d", ErrConfig, id, p.model.Config().VocabSize-1)
		}
		for _, x := range table.Data64()[int(id)*d : int(id+1)*d] {
			rows = append(rows, scale*x)
		}
	}
	return p.enc.table.Set(rows)
}

// scaled says whether the model multiplies the embeddings of virtual tokens as it
// does others: transformers scales behind the embedding in Granite, and as a part
// of it in Gemma.
func (p *Prompt) scaled() bool { return p.model.Config().ModelType == "granite" }

func (p *Prompt) attach() {
	e := p.model.Embedding()
	if e.Adapters == nil {
		e.Adapters = map[string]nn.LookupAdapter{}
	}
	e.Adapters[p.name] = p
}

// Attached says whether the model knows the prompt.
func (p *Prompt) Attached() bool { return p.model.Embedding().Adapters[p.name] == nn.LookupAdapter(p) }

// Remove detaches the prompt from its model. Its values stay as they are.
func (p *Prompt) Remove() {
	if p.Attached() {
		delete(p.model.Embedding().Adapters, p.name)
	}
}

// Name is what graphs call the prompt.
func (p *Prompt) Name() string { return p.name }

// Config is the prompt's configuration with its defaults filled in.
func (p *Prompt) Config() Config { return p.config }

// Virtual is the number of virtual tokens.
func (p *Prompt) Virtual() int { return p.config.Tokens }

// Params lists the parameters by PEFT's names, in a stable order.
func (p *Prompt) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		for _, q := range p.enc.params() {
			if !yield(q.Name(), q) {
				return
			}
		}
	}
}

// SetTrainable gives every parameter a gradient accumulator, or takes it away.
func (p *Prompt) SetTrainable(on bool) error {
	var errs []error
	for _, q := range p.enc.params() {
		errs = append(errs, q.SetTrainable(on))
	}
	return errors.Join(errs...)
}

// Lookup embeds ids, those of virtual tokens too; it implements nn.LookupAdapter.
func (p *Prompt) Lookup(in *nn.Inputs, e *nn.Embedding, ids *tensor.Node) *tensor.Node {
	first := p.model.Config().VocabSize
	x := e.Plain(in, tensor.RealIDs(ids, first))
	if p.config.Kind == PrefixTuning { // nothing depends on their embeddings
		return x
	}
	rows := p.enc.result(ids.Graph())
	if p.scaled() {
		rows = tensor.Scale(rows, e.Scale)
	}
	return tensor.ReplaceRows(x, rows, ids, first)
}

// KeyValues are the keys and values of the virtual tokens in every layer, nil for
// kinds that have embeddings; it implements nn.VirtualTokens. A row of the result
// of the encoder holds them as [layer][key, value][head][feature].
func (p *Prompt) KeyValues(g *tensor.Graph) []nn.KV {
	if p.config.Kind != PrefixTuning {
		return nil
	}
	c := p.model.Config()
	width := p.config.tokenWidth(c)
	widths := make([]int, 2*c.NumHiddenLayers)
	for i := range widths {
		widths[i] = width
	}
	parts := tensor.Split(p.enc.result(g), 1, widths...)
	kv := make([]nn.KV, c.NumHiddenLayers)
	for i := range kv {
		kv[i] = nn.KV{K: parts[2*i], V: parts[2*i+1]}
	}
	return kv
}
