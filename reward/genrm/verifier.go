package genrm

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"sync"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Generator continues token ids; *generate.Generator is one. Its Config.Decode must be
// set.
type Generator interface {
	Generate(ctx context.Context, prompts [][]int32, o generate.Options) ([]generate.Completion, error)
}

// Options say who is asked, and how. Model and Encoder are required.
type Options struct {
	// Name is what metrics call the verifier; "" means "genrm".
	Name    string
	Model   model.Model
	Adapter string // its adapter, "" for none
	Encoder data.Encoder
	// AddSpecial puts the tokenizer's special tokens around the text, as training did.
	AddSpecial bool
	Form       Form
	// Share takes the probability of yes against no, p(Yes)/(p(Yes)+p(No)); by default it
	// is that against all other tokens, p(Yes), as in the paper.
	Share bool
	// Rationales is how many rationales Generator writes before a verdict; 0 asks at
	// once. The paper takes 32.
	Rationales int
	Generator  Generator
	// Generate steers how rationales are sampled: Temperature 0 means 1. Its seed and the
	// text that is judged choose the random numbers, so that the same sample has the same
	// reward always.
	Generate generate.Options
	// Tokens bounds a text, rationale included; 0 means 2,048.
	Tokens int
	// Device computes; nil means tensor.DefaultDevice.
	Device *tensor.Device
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "genrm"
	}
	if o.Tokens == 0 {
		o.Tokens = 2048
	}
	o.Form = o.Form.withDefaults()
	if o.Generate.Temperature == 0 {
		o.Generate.Temperature = 1
	}
	o.Generate.Stop = append(o.Generate.Stop[:len(o.Generate.Stop):len(o.Generate.Stop)], o.Form.Verdict)
	return o
}

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	if o.Model == nil || o.Encoder == nil {
		faults = append(faults, errors.New("genrm: Options: got no Model or no Encoder, want both"))
	} else if o.Adapter != "" && !model.HasAdapter(o.Model, o.Adapter) {
		faults = append(faults, fmt.Errorf("genrm: Options.Adapter: got %q, which is not attached to the model", o.Adapter))
	}
	if o.Tokens < 0 || o.Rationales < 0 {
		faults = append(faults, fmt.Errorf("genrm: Options: got %d Tokens and %d Rationales, want positive numbers, or 0 for the defaults", o.Tokens, o.Rationales))
	}
	if o.Rationales > 0 && o.Generator == nil {
		faults = append(faults, errors.New("genrm: Options: got Rationales and no Generator to write them"))
	}
	if d, ok := o.Generator.(interface{ Decodes() bool }); ok && !d.Decodes() {
		faults = append(faults, errors.New("genrm: Options.Generator: got one without text, want generate.Config.Decode set"))
	}
	return errors.Join(append(faults, o.Generate.Validate())...)
}

// Verifier scores answers by the probability of a yes, from 0 to 1. It is a
// reward.Verifier, and safe for concurrent use; calls take turns.
type Verifier struct {
	opts Options
	mu   sync.Mutex
	pass pass
}

// New prepares scoring with the model as it is: while it is trained, scores follow.
func New(o Options) (*Verifier, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	v := &Verifier{opts: o.withDefaults()}
	return v, v.pass.compile(v.opts)
}

// Name is the name that metrics carry.
func (v *Verifier) Name() string { return v.opts.Name }

// Verify implements reward.Verifier.
func (v *Verifier) Verify(ctx context.Context, s reward.Sample) (float64, error) {
	scores, err := v.ScoreSamples(ctx, []reward.Sample{s})
	if err != nil {
		return 0, err
	}
	return scores[0], nil
}

// ScoreSamples returns the score of each sample.
func (v *Verifier) ScoreSamples(ctx context.Context, samples []reward.Sample) ([]float64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	scores := make([]float64, len(samples))
	for i, s := range samples {
		texts := []string{v.opts.Form.direct(s)}
		if v.opts.Rationales > 0 {
			var err error
			if texts, err = v.think(ctx, s); err != nil {
				return nil, fmt.Errorf("genrm: %s: sample %d: rationales: %w", v.opts.Name, i, err)
			}
		}
		for _, text := range texts {
			p, err := v.ask(ctx, text)
			if err != nil {
				return nil, fmt.Errorf("genrm: %s: sample %d: %w", v.opts.Name, i, err)
			}
			scores[i] += p / float64(len(texts))
		}
	}
	return scores, nil
}

// think writes rationales and returns what is asked behind each.
func (v *Verifier) think(ctx context.Context, s reward.Sample) ([]string, error) {
	begin := v.opts.Form.begin(s)
	ids := v.opts.Encoder.AppendIDs(nil, begin, v.opts.AddSpecial)
	prompts := make([][]int32, v.opts.Rationales)
	for i := range prompts {
		prompts[i] = ids
	}
	o := v.opts.Generate
	h := fnv.New64a()
	_, _ = h.Write([]byte(begin)) // never fails
	o.Seed ^= h.Sum64()
	list, err := v.opts.Generator.Generate(ctx, prompts, o)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = v.opts.Form.after(s, list[i].Text)
	}
	if len(texts) != v.opts.Rationales {
		return nil, fmt.Errorf("got %d completions, want %d", len(texts), v.opts.Rationales)
	}
	return texts, nil
}

// ask returns the probability of a yes behind a text.
func (v *Verifier) ask(ctx context.Context, text string) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	yes := v.opts.Encoder.AppendIDs(nil, text+v.opts.Form.Yes, v.opts.AddSpecial)
	no := v.opts.Encoder.AppendIDs(nil, text+v.opts.Form.No, v.opts.AddSpecial)
	first := 0
	for first < min(len(yes), len(no)) && yes[first] == no[first] {
		first++
	}
	if first == 0 || first == min(len(yes), len(no)) {
		return 0, fmt.Errorf("got %d and %d tokens with the verdicts %q and %q, want verdicts that differ behind a text (Options.Form)", len(yes), len(no), v.opts.Form.Yes, v.opts.Form.No)
	}
	logYes, logNo, err := v.pass.verdicts(yes[:first], yes[first:], no[first:])
	if err != nil {
		return 0, err
	}
	if v.opts.Share {
		return 1 / (1 + math.Exp(logNo-logYes)), nil
	}
	return math.Exp(logYes), nil
}

var _ reward.Verifier = (*Verifier)(nil)
