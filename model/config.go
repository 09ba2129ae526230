package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// ErrConfig is wrapped by errors about a model's configuration.
var ErrConfig = errors.New("model: configuration is wrong")

// Config describes a model's architecture. It is read from config.json in the
// layouts of transformers 4 and 5, or from the metadata of a GGUF file.
type Config struct {
	ModelType             string
	VocabSize             int
	HiddenSize            int
	IntermediateSize      int
	NumHiddenLayers       int
	NumAttentionHeads     int
	NumKeyValueHeads      int
	HeadDim               int
	MaxPositionEmbeddings int
	RMSNormEps            float64
	HiddenAct             string
	TieWordEmbeddings     bool
	AttentionBias         bool // q, k, v (and o in llama)
	MLPBias               bool

	RoPE      tensor.RoPEScaling // of full-attention layers
	LocalRoPE tensor.RoPEScaling // of sliding layers; equals RoPE where a family has one kind

	SlidingWindow int      // 0 for none
	LayerTypes    []string // "full_attention" or "sliding_attention", one a layer
	QueryScale    float64  // query_pre_attn_scalar s, attention scores are multiplied by 1/√s; 0: HeadDim
	AttnSoftCap   float64  // 0 for none
	FinalSoftCap  float64  // 0 for none
	Experts       Experts  // of mixtures of experts
	LogitScale    float64  // factor of the logits; 0 for 1
	EmbedScale    float64  // factor of the embedding; 1 for most
	NormOffset    float64  // 1 where norm weights are stored less 1
	// LearnedPositions says that positions are a table of MaxPositionEmbeddings
	// rows, so that no longer text can be computed.
	LearnedPositions bool
	// NoLanguageHead says that the checkpoint has no output matrix, because a Head
	// stands in its place. The model's Head is then the embedding, and must not be
	// used.
	NoLanguageHead bool

	BOS, PAD int32   // -1 for none
	EOS      []int32 // every id that ends a text

	// Raw is the configuration as it was read, so that saving keeps fields this
	// library does not know; nil for GGUF files.
	Raw json.RawMessage
}

// Layer types.
const (
	FullAttention    = "full_attention"
	SlidingAttention = "sliding_attention"
)

// Sliding says whether layer i attends to a window only.
func (c *Config) Sliding(i int) bool {
	return c.SlidingWindow > 0 && i < len(c.LayerTypes) && c.LayerTypes[i] == SlidingAttention
}

// LogitOptions are the options with which tensor.TokenLogProb computes the
// model's own distribution.
func (c *Config) LogitOptions() tensor.LogProbOptions {
	return tensor.LogProbOptions{SoftCap: c.FinalSoftCap, LogitScale: c.LogitScale}
}

// configFile holds the fields of config.json that we read.
type configFile struct {
	ModelType             string          `json:"model_type"`
	VocabSize             int             `json:"vocab_size"`
	HiddenSize            int             `json:"hidden_size"`
	IntermediateSize      int             `json:"intermediate_size"`
	NumHiddenLayers       int             `json:"num_hidden_layers"`
	NumAttentionHeads     int             `json:"num_attention_heads"`
	NumKeyValueHeads      *int            `json:"num_key_value_heads"`
	HeadDim               *int            `json:"head_dim"`
	MaxPositionEmbeddings int             `json:"max_position_embeddings"`
	RMSNormEps            *float64        `json:"rms_norm_eps"`
	HiddenAct             string          `json:"hidden_act"`
	HiddenActivation      string          `json:"hidden_activation"`
	TieWordEmbeddings     *bool           `json:"tie_word_embeddings"`
	AttentionBias         *bool           `json:"attention_bias"`
	MLPBias               bool            `json:"mlp_bias"`
	RopeTheta             *float64        `json:"rope_theta"`
	RopeScaling           json.RawMessage `json:"rope_scaling"`
	RopeParameters        json.RawMessage `json:"rope_parameters"`
	OriginalMax           *float64        `json:"original_max_position_embeddings"`
	RopeLocalBaseFreq     *float64        `json:"rope_local_base_freq"`
	PartialRotaryFactor   *float64        `json:"partial_rotary_factor"`
	SlidingWindow         json.RawMessage `json:"sliding_window"`
	UseSlidingWindow      *bool           `json:"use_sliding_window"`
	MaxWindowLayers       *int            `json:"max_window_layers"`
	LayerTypes            []string        `json:"layer_types"`
	SlidingPattern        *int            `json:"sliding_window_pattern"`
	SlidingPatternV5      *int            `json:"_sliding_window_pattern"`
	QueryPreAttnScalar    *float64        `json:"query_pre_attn_scalar"`
	AttnSoftCap           json.RawMessage `json:"attn_logit_softcapping"`
	FinalSoftCap          json.RawMessage `json:"final_logit_softcapping"`
	BOS                   json.RawMessage `json:"bos_token_id"`
	EOS                   json.RawMessage `json:"eos_token_id"`
	PAD                   json.RawMessage `json:"pad_token_id"`
}

// maxConfigBytes bounds config.json; published ones are a few kB.
const maxConfigBytes = 4 << 20

// ParseConfig reads config.json in the layout of transformers 4 or 5. Fields
// that the file leaves out get the family's defaults.
func ParseConfig(raw []byte, d Defaults) (*Config, error) {
	if len(raw) > maxConfigBytes {
		return nil, fmt.Errorf("%w: config.json has %d bytes, want at most %d", ErrConfig, len(raw), maxConfigBytes)
	}
	fields, err := withUsualNames(raw, d.Aliases)
	if err != nil {
		return nil, fmt.Errorf("%w: config.json: %w", ErrConfig, err)
	}
	var f configFile
	if err := json.Unmarshal(fields, &f); err != nil {
		return nil, fmt.Errorf("%w: config.json: %w", ErrConfig, err)
	}
	if f.PartialRotaryFactor == nil && d.PartialRotaryFactor != 0 {
		f.PartialRotaryFactor = &d.PartialRotaryFactor
	}
	c := &Config{
		ModelType: f.ModelType, VocabSize: f.VocabSize, HiddenSize: f.HiddenSize, IntermediateSize: cmp.Or(f.IntermediateSize, d.IntermediateRatio*f.HiddenSize),
		NumHiddenLayers: f.NumHiddenLayers, NumAttentionHeads: f.NumAttentionHeads, MaxPositionEmbeddings: f.MaxPositionEmbeddings,
		NumKeyValueHeads: or(f.NumKeyValueHeads, f.NumAttentionHeads), RMSNormEps: or(f.RMSNormEps, cmp.Or(d.RMSNormEps, 1e-6)),
		HiddenAct: cmp.Or(f.HiddenActivation, f.HiddenAct, d.HiddenAct, "silu"), MLPBias: f.MLPBias,
		AttentionBias: or(f.AttentionBias, d.AttentionBias), TieWordEmbeddings: or(f.TieWordEmbeddings, d.TieWordEmbeddings),
		QueryScale: or(f.QueryPreAttnScalar, d.QueryScale), EmbedScale: 1, BOS: -1, PAD: -1, Raw: slices.Clone(raw),
	}
	if f.NumAttentionHeads > 0 {
		c.HeadDim = or(f.HeadDim, cmp.Or(d.HeadDim, f.HiddenSize/f.NumAttentionHeads))
	}
	if err := errors.Join(c.readIDs(&f), c.readCaps(&f, d), c.readRoPE(&f, d), c.readWindow(&f, d), c.readExperts(fields, d), c.Validate()); err != nil {
		return nil, err
	}
	return c, nil
}

// or is *p, or the default where the field is absent or null.
func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// Validate reports every size that cannot be.
func (c *Config) Validate() error {
	var errs []error
	limit := func(name string, got, most int) {
		if got < 1 || got > most {
			errs = append(errs, fmt.Errorf("%w: %s is %d, want 1 to %d", ErrConfig, name, got, most))
		}
	}
	limit("vocab_size", c.VocabSize, 1<<24)
	limit("hidden_size", c.HiddenSize, 1<<20)
	limit("intermediate_size", c.IntermediateSize, 1<<22)
	limit("num_hidden_layers", c.NumHiddenLayers, 1<<12)
	limit("num_attention_heads", c.NumAttentionHeads, 1<<14)
	limit("num_key_value_heads", c.NumKeyValueHeads, 1<<14)
	limit("head_dim", c.HeadDim, 1<<14)
	if c.NumKeyValueHeads > 0 && c.NumAttentionHeads%c.NumKeyValueHeads != 0 {
		errs = append(errs, fmt.Errorf("%w: num_attention_heads %d is no multiple of num_key_value_heads %d", ErrConfig, c.NumAttentionHeads, c.NumKeyValueHeads))
	}
	if c.HeadDim%2 != 0 {
		errs = append(errs, fmt.Errorf("%w: head_dim is %d, want an even number", ErrConfig, c.HeadDim))
	}
	if !(c.RMSNormEps >= 0 && c.RMSNormEps < 1) {
		errs = append(errs, fmt.Errorf("%w: rms_norm_eps is %g, want 0 to 1", ErrConfig, c.RMSNormEps))
	}
	for i, t := range c.LayerTypes {
		if t != FullAttention && t != SlidingAttention {
			errs = append(errs, fmt.Errorf("%w: layer_types[%d] is %q, want %q or %q", ErrConfig, i, t, FullAttention, SlidingAttention))
		}
	}
	if n := len(c.LayerTypes); n != 0 && n != c.NumHiddenLayers {
		errs = append(errs, fmt.Errorf("%w: layer_types has %d entries for %d layers", ErrConfig, n, c.NumHiddenLayers))
	}
	return errors.Join(errs...)
}

// readWindow settles which layers slide.
func (c *Config) readWindow(f *configFile, d Defaults) error {
	c.SlidingWindow, c.LayerTypes = d.SlidingWindow, f.LayerTypes
	if len(f.SlidingWindow) > 0 { // null means no window, whatever the default
		c.SlidingWindow = 0
		if err := json.Unmarshal(f.SlidingWindow, &c.SlidingWindow); err != nil {
			return fmt.Errorf("%w: sliding_window: %w", ErrConfig, err)
		}
	}
	if !or(f.UseSlidingWindow, !d.WindowOff) {
		c.SlidingWindow = 0
	}
	if c.SlidingWindow < 0 {
		return fmt.Errorf("%w: sliding_window is %d", ErrConfig, c.SlidingWindow)
	}
	if len(c.LayerTypes) > 0 || c.SlidingWindow == 0 || c.NumHiddenLayers > 1<<12 {
		return nil
	}
	pattern := d.SlidingPattern // every pattern-th layer is full
	if f.SlidingPattern != nil {
		pattern = *f.SlidingPattern
	} else if f.SlidingPatternV5 != nil {
		pattern = *f.SlidingPatternV5
	}
	for i := range c.NumHiddenLayers {
		kind := SlidingAttention
		if pattern > 0 && (i+1)%pattern == 0 || i < or(f.MaxWindowLayers, d.FullLayers) {
			kind = FullAttention
		}
		c.LayerTypes = append(c.LayerTypes, kind)
	}
	return nil
}
