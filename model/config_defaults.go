package model

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Defaults are the values of a family for fields that config.json leaves out:
// transformers writes only what differs from the class, so each family has its
// own. A zero field stands for what most families have.
type Defaults struct {
	TieWordEmbeddings bool    // false
	AttentionBias     bool    // false
	HeadDim           int     // hidden_size / num_attention_heads
	RMSNormEps        float64 // 1e-6
	HiddenAct         string  // silu
	QueryScale        float64 // HeadDim
	RopeTheta         float64 // 10000
	LocalRopeTheta    float64 // sliding layers share the base of full ones
	SlidingWindow     int     // none
	WindowOff         bool    // use_sliding_window is true
	FullLayers        int     // max_window_layers: the first so many layers are full; 0
	SlidingPattern    int     // every so-manieth layer is full; 0: none is
	AttnSoftCap       float64 // attn_logit_softcapping; none
	FinalSoftCap      float64 // final_logit_softcapping; none

	// Experts are those of a family with mixtures of experts, whose Size is 0 where
	// intermediate_size stands for it.
	Experts             Experts
	PartialRotaryFactor float64 // the whole head is rotated
	IntermediateRatio   int     // intermediate_size / hidden_size; config.json must have intermediate_size
	// Aliases are the family's own names of fields, such as n_embd, and the usual
	// ones. Where a file has both, the usual one counts.
	Aliases map[string]string
}

// withUsualNames is config.json with the usual names of fields.
func withUsualNames(raw []byte, aliases map[string]string) ([]byte, error) {
	if len(aliases) == 0 {
		return raw, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	for own, usual := range aliases {
		if v, ok := fields[own]; ok && !absent(v) && absent(fields[usual]) {
			fields[usual] = v
		}
	}
	return json.Marshal(fields)
}

// readCaps reads the soft caps. A null turns one off, whatever the default.
func (c *Config) readCaps(f *configFile, d Defaults) error {
	var err1, err2 error
	c.AttnSoftCap, err1 = softCap("attn_logit_softcapping", f.AttnSoftCap, d.AttnSoftCap)
	c.FinalSoftCap, err2 = softCap("final_logit_softcapping", f.FinalSoftCap, d.FinalSoftCap)
	return errors.Join(err1, err2)
}

func softCap(name string, raw json.RawMessage, def float64) (limit float64, err error) {
	switch {
	case len(raw) == 0:
		return def, nil
	case absent(raw):
		return 0, nil
	}
	if err := json.Unmarshal(raw, &limit); err != nil || limit < 0 {
		return 0, fmt.Errorf("%w: %s is %.40s, want a number of at least 0, or null", ErrConfig, name, raw)
	}
	return limit, nil
}
