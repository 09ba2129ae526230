package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// ropeFile is one set of rotary parameters: rope_scaling of transformers 4, or
// rope_parameters of transformers 5, which holds the base as well and may come
// once a layer type.
type ropeFile struct {
	RopeType            string    `json:"rope_type"`
	Type                string    `json:"type"` // the older name of rope_type
	RopeTheta           *float64  `json:"rope_theta"`
	PartialRotaryFactor *float64  `json:"partial_rotary_factor"`
	Factor              float64   `json:"factor"`
	OriginalMax         *float64  `json:"original_max_position_embeddings"`
	AttentionFactor     float64   `json:"attention_factor"`
	BetaFast            float64   `json:"beta_fast"`
	BetaSlow            float64   `json:"beta_slow"`
	MScale              float64   `json:"mscale"`
	MScaleAllDim        float64   `json:"mscale_all_dim"`
	Truncate            *bool     `json:"truncate"`
	LowFreqFactor       float64   `json:"low_freq_factor"`
	HighFreqFactor      float64   `json:"high_freq_factor"`
	ShortFactor         []float64 `json:"short_factor"`
	LongFactor          []float64 `json:"long_factor"`
}

// readRoPE fills the rotary scaling of full and of sliding layers. Sliding
// layers share that of full layers unless the file gives them one of their own:
// a set by layer type (transformers 5), or a base (transformers 4), which comes
// without scaling (Gemma 3).
func (c *Config) readRoPE(f *configFile, d Defaults) error {
	var err error
	full, sliding, split, err := ropeSets(f)
	if err != nil {
		return err
	}
	if c.RoPE, err = c.ropeScaling(f, full, or(f.RopeTheta, d.RopeTheta)); err != nil {
		return err
	}
	local := or(f.RopeLocalBaseFreq, d.LocalRopeTheta)
	switch {
	case split:
		c.LocalRoPE, err = c.ropeScaling(f, sliding, local)
	case local != 0:
		c.LocalRoPE, err = c.ropeScaling(f, nil, local)
	default:
		c.LocalRoPE = c.RoPE
	}
	return err
}

// ropeSets finds the parameters of full and of sliding layers; split says that
// the file tells them apart.
func ropeSets(f *configFile) (full, sliding json.RawMessage, split bool, err error) {
	if absent(f.RopeParameters) {
		return f.RopeScaling, f.RopeScaling, false, nil
	}
	var byType map[string]json.RawMessage
	if err := json.Unmarshal(f.RopeParameters, &byType); err != nil {
		return nil, nil, false, fmt.Errorf("%w: rope_parameters: %w", ErrConfig, err)
	}
	full, sliding = byType[FullAttention], byType[SlidingAttention]
	if full == nil && sliding == nil {
		return f.RopeParameters, f.RopeParameters, false, nil
	}
	return full, sliding, true, nil
}

// ropeScaling converts one set of parameters; theta is the base where the set
// has none, 0 for 10000.
func (c *Config) ropeScaling(f *configFile, raw json.RawMessage, theta float64) (s tensor.RoPEScaling, err error) {
	var r ropeFile
	if !absent(raw) {
		if err := json.Unmarshal(raw, &r); err != nil {
			return s, fmt.Errorf("%w: rotary parameters: %w", ErrConfig, err)
		}
	}
	if r.RopeType == "" {
		r.RopeType = r.Type
	}
	switch r.RopeType {
	case "default":
		r.RopeType = ""
	case "su": // the first name of longrope, in early Phi-3 files
		r.RopeType = "longrope"
	}
	original := or(r.OriginalMax, or(f.OriginalMax, 0))
	if original < 0 || original > 1<<40 || original != math.Trunc(original) {
		return s, fmt.Errorf("%w: original_max_position_embeddings is %g, want a whole number from 0 to 2^40", ErrConfig, original)
	}
	s = tensor.RoPEScaling{
		Type: r.RopeType, Theta: or(r.RopeTheta, theta), PartialRotaryFactor: or(r.PartialRotaryFactor, or(f.PartialRotaryFactor, 0)),
		Factor: r.Factor, MaxPositionEmbeddings: c.MaxPositionEmbeddings, OriginalMaxPositionEmbeddings: int(original),
		AttentionFactor: r.AttentionFactor, BetaFast: r.BetaFast, BetaSlow: r.BetaSlow, MScale: r.MScale, MScaleAllDim: r.MScaleAllDim,
		NoTruncate: !or(r.Truncate, true), LowFreqFactor: r.LowFreqFactor, HighFreqFactor: r.HighFreqFactor,
		ShortFactor: r.ShortFactor, LongFactor: r.LongFactor,
	}
	if c.HeadDim < 1 || c.HeadDim > 1<<14 {
		return s, nil // Validate reports it
	}
	if _, err := s.Options(c.HeadDim); err != nil {
		return s, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return s, nil
}

// absent says whether a JSON value is missing or null.
func absent(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

// attentionOptions are the options of attention but for the window, which
// depends on the layer.
func (c *Config) attentionOptions() tensor.AttentionOptions {
	o := tensor.AttentionOptions{Heads: c.NumAttentionHeads, KVHeads: c.NumKeyValueHeads, HeadDim: c.HeadDim, SoftCap: c.AttnSoftCap}
	if c.QueryScale > 0 {
		o.Scale = 1 / math.Sqrt(c.QueryScale)
	}
	return o
}
