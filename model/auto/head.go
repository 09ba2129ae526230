package auto

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/model"
)

// maxLabels bounds the number of labels that config.json may claim.
const maxLabels = 1 << 20

// valueHead is the tensor that tells a folder of TRL's
// AutoModelForCausalLMWithValueHead, whose config.json is the language model's.
const valueHead = "v_head.summary.weight"

// headFields are the fields of config.json about heads.
type headFields struct {
	Architectures []string          `json:"architectures"`
	Labels        map[string]string `json:"id2label"`
	Count         *int              `json:"num_labels"`
	Problem       *string           `json:"problem_type"`
}

// openHead settles what head the folder has and loads it; nil for none. It is
// called before the model is built from l.
func openHead(raw []byte, c *model.Config, l *model.Loader) (*model.Head, error) {
	var f headFields
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%w: config.json: %w", model.ErrConfig, err)
	}
	kind := f.kind()
	switch {
	case kind == 0 && l.Has(valueHead):
		return l.LoadHead(model.Value, model.Labels(1)), nil
	case kind == 0:
		return nil, nil
	}
	labels, err := f.labels()
	if err != nil {
		return nil, err
	}
	c.NoLanguageHead = true
	h := l.LoadHead(kind, labels)
	if f.Problem != nil {
		h.Problem = *f.Problem
	}
	return h, nil
}

// kind is the kind of head in the name of the class, 0 for none.
func (f headFields) kind() model.HeadKind {
	for _, a := range f.Architectures {
		for _, k := range []model.HeadKind{model.SequenceClassification, model.TokenClassification} {
			if strings.HasSuffix(a, k.String()) {
				return k
			}
		}
	}
	return 0
}

// labels are the names of the classes in order. Without any transformers assumes
// two.
func (f headFields) labels() ([]string, error) {
	n := 2
	if f.Labels != nil {
		n = len(f.Labels)
	}
	if f.Count != nil && *f.Count != n {
		if f.Labels != nil {
			return nil, fmt.Errorf("%w: config.json: num_labels is %d, want %d, the number of names in id2label", model.ErrConfig, *f.Count, n)
		}
		n = *f.Count
	}
	if n < 1 || n > maxLabels {
		return nil, fmt.Errorf("%w: config.json: %d labels, want 1 to %d", model.ErrConfig, n, maxLabels)
	}
	if f.Labels == nil {
		return model.Labels(n), nil
	}
	labels := make([]string, n)
	for i := range labels {
		name, ok := f.Labels[strconv.Itoa(i)]
		if !ok {
			return nil, fmt.Errorf("%w: config.json: id2label has %d names but none for %d", model.ErrConfig, n, i)
		}
		labels[i] = name
	}
	return labels, nil
}

// whole is the model with its head, which is what is saved.
func (c *Checkpoint) whole() model.Model {
	if c.Head == nil {
		return c.Model
	}
	return model.Headed{Model: c.Model, Score: c.Head}
}

// checkHead refuses a checkpoint whose head was taken away.
func (c *Checkpoint) checkHead() error {
	if c.Head == nil && c.Model.Config().NoLanguageHead {
		return fmt.Errorf("%w: a model with neither a language head nor another", ErrUnsupported)
	}
	return nil
}

// classifies says whether a head stands in place of the language model's.
func (c *Checkpoint) classifies() bool { return c.Head != nil && c.Head.Kind != model.Value }

// describeHead writes the head into the fields of config.json.
func (c *Checkpoint) describeHead(fields map[string]json.RawMessage) error {
	if !c.classifies() {
		return nil
	}
	names, ids := map[string]string{}, map[string]int{}
	for i, name := range c.Head.Labels {
		names[strconv.Itoa(i)], ids[name] = name, i
	}
	if len(ids) != len(names) {
		return fmt.Errorf("%w: %d labels with %d different names: %q", model.ErrHead, len(names), len(ids), c.Head.Labels)
	}
	config := c.Model.Config()
	fam, err := family(config.ModelType) // a program may have left Family out
	if err != nil {
		return err
	}
	set := map[string]any{
		"architectures": []string{headClass(fam.Class, c.Head.Kind)},
		"id2label":      names, "label2id": ids, "num_labels": len(names),
	}
	if c.Head.Problem != "" {
		set["problem_type"] = c.Head.Problem
	}
	if config.PAD >= 0 {
		set["pad_token_id"] = config.PAD
	}
	if config.NoLanguageHead { // tied to nothing: as it was
		set["tie_word_embeddings"] = config.TieWordEmbeddings
	}
	if c.Head.Kind == model.TokenClassification && c.Head.Linear.Bias == nil {
		set["token_classification_bias"] = false
	}
	for key, v := range set {
		raw, err := indented(v)
		if err != nil {
			return err
		}
		fields[key] = raw
	}
	return nil
}

// headClass is the class of transformers with that kind of head.
func headClass(causal string, kind model.HeadKind) string {
	base := strings.TrimSuffix(strings.TrimSuffix(causal, "ForCausalLM"), "LMHeadModel")
	if base == "Gemma3" { // Gemma3For… is the one that sees pictures
		base = "Gemma3Text"
	}
	return base + kind.String()
}
