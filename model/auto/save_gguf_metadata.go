package auto

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// fileTypes are the numbers of general.file_type, which tells people what most
// matrices are.
var fileTypes = map[gguf.Type]uint32{
	gguf.F32: 0, gguf.F16: 1, gguf.Q4_0: 2, gguf.Q4_1: 3, gguf.Q8_0: 7, gguf.Q5_0: 8, gguf.Q5_1: 9, gguf.Q2_K: 10,
	gguf.Q3_K: 11, gguf.Q4_K: 14, gguf.Q5_K: 16, gguf.Q6_K: 18, gguf.BF16: 32,
}

// metadata describes the model.
func (g *ggufWriter) metadata() ([]gguf.Pair, error) {
	c, a := g.c.Model.Config(), g.layout.Architecture
	meta := []gguf.Pair{
		{Key: "general.architecture", Value: a}, {Key: "general.type", Value: "model"}, {Key: "general.name", Value: g.o.Name},
		{Key: "general.file_type", Value: fileTypes[g.o.Type]}, {Key: "general.quantization_version", Value: uint32(2)},
	}
	number := func(key string, v int) { meta = append(meta, gguf.Pair{Key: a + "." + key, Value: uint32(v)}) }
	real := func(key string, v float64) { meta = append(meta, gguf.Pair{Key: a + "." + key, Value: float32(v)}) }
	number("context_length", c.MaxPositionEmbeddings)
	number("embedding_length", c.HiddenSize)
	number("block_count", c.NumHiddenLayers)
	number("vocab_size", c.VocabSize)
	number("feed_forward_length", c.IntermediateSize)
	number("attention.head_count", c.NumAttentionHeads)
	number("attention.head_count_kv", c.NumKeyValueHeads)
	number("attention.key_length", c.HeadDim)
	number("attention.value_length", c.HeadDim)
	real("attention.layer_norm_rms_epsilon", c.RMSNormEps)
	real("rope.freq_base", theta(c.RoPE))
	if a == "llama" {
		number("rope.dimension_count", c.HeadDim)
	}
	if c.SlidingWindow > 0 {
		number("attention.sliding_window", c.SlidingWindow)
		if a == "gemma3" {
			real("rope.freq_base_swa", theta(c.LocalRoPE))
		}
	}
	if c.FinalSoftCap != 0 {
		real("final_logit_softcapping", c.FinalSoftCap)
	}
	if c.AttnSoftCap != 0 {
		real("attn_logit_softcapping", c.AttnSoftCap)
	}
	switch s := c.RoPE; s.Type {
	case "", "default", "llama3": // llama3: see divisors
	case "linear", "yarn":
		meta = append(meta, gguf.Pair{Key: a + ".rope.scaling.type", Value: s.Type})
		real("rope.scaling.factor", s.Factor)
		if s.Type == "yarn" {
			number("rope.scaling.original_context_length", s.OriginalMaxPositionEmbeddings)
		}
	default:
		return nil, fmt.Errorf("%w: GGUF files with rope_type %q, want default, linear, yarn or llama3", ErrUnsupported, s.Type)
	}
	return meta, nil
}

func theta(s tensor.RoPEScaling) float64 {
	if s.Theta == 0 {
		return 10000
	}
	return s.Theta
}

// divisors are what llama3 scaling divides the rotary frequencies by; nil for
// other models.
func (g *ggufWriter) divisors() ([]float32, error) {
	c := g.c.Model.Config()
	if c.RoPE.Type != "llama3" {
		return nil, nil
	}
	scaled, _, err := tensor.RoPEFrequencies(c.RoPE, c.HeadDim, 0)
	if err != nil {
		return nil, err
	}
	list := make([]float32, len(scaled))
	for i, f := range scaled {
		list[i] = float32(math.Pow(theta(c.RoPE), -float64(i)/float64(len(list))) / f)
	}
	return list, nil
}

// verify reads the file back and compares what it says with the checkpoint.
func (g *ggufWriter) verify(path string) (err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err := ggufConfig(f, g.c.Family)
	if err != nil {
		return err
	}
	got, _, err := ParseConfig(raw)
	if err != nil {
		return err
	}
	if err := sameConfig(g.c.Model.Config(), got); err != nil {
		return fmt.Errorf("%w: the configuration cannot be told in a GGUF file: %w", ErrUnsupported, err)
	}
	return nil
}

// sameConfig reports a difference that changes what the model computes.
func sameConfig(want, got *model.Config) error {
	for name, ropes := range map[string][2]tensor.RoPEScaling{"RoPE": {want.RoPE, got.RoPE}, "LocalRoPE": {want.LocalRoPE, got.LocalRoPE}} {
		if err := sameRoPE(ropes[0], ropes[1], want.HeadDim); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, f := range []struct {
		name      string
		want, got any
	}{
		{"VocabSize", want.VocabSize, got.VocabSize}, {"HiddenSize", want.HiddenSize, got.HiddenSize},
		{"IntermediateSize", want.IntermediateSize, got.IntermediateSize}, {"NumHiddenLayers", want.NumHiddenLayers, got.NumHiddenLayers},
		{"NumAttentionHeads", want.NumAttentionHeads, got.NumAttentionHeads}, {"NumKeyValueHeads", want.NumKeyValueHeads, got.NumKeyValueHeads},
		{"HeadDim", want.HeadDim, got.HeadDim}, {"MaxPositionEmbeddings", want.MaxPositionEmbeddings, got.MaxPositionEmbeddings},
		{"RMSNormEps", float32(want.RMSNormEps), float32(got.RMSNormEps)}, {"HiddenAct", want.HiddenAct, got.HiddenAct},
		{"TieWordEmbeddings", want.TieWordEmbeddings, got.TieWordEmbeddings}, {"MLPBias", want.MLPBias, got.MLPBias},
		{"QueryScale", scaleOr(want.QueryScale, want.HeadDim), scaleOr(got.QueryScale, got.HeadDim)},
		{"AttnSoftCap", float32(want.AttnSoftCap), float32(got.AttnSoftCap)}, {"FinalSoftCap", float32(want.FinalSoftCap), float32(got.FinalSoftCap)},
		{"LogitScale", want.LogitScale, got.LogitScale},
	} {
		if f.want != f.got {
			return fmt.Errorf("%s: got %v, want %v", f.name, f.got, f.want)
		}
	}
	for layer := range want.NumHiddenLayers {
		a, b := want.Sliding(layer), got.Sliding(layer)
		if a != b || a && want.SlidingWindow != got.SlidingWindow {
			return fmt.Errorf("layer %d: got a window %v of %d, want %v of %d", layer, b, got.SlidingWindow, a, want.SlidingWindow)
		}
	}
	return nil
}

// scaleOr is query_pre_attn_scalar, of which 0 stands for the width of a head.
func scaleOr(s float64, headDim int) float64 {
	if s == 0 {
		return float64(headDim)
	}
	return s
}

// sameRoPE compares rotary frequencies and the factor of cos and sin.
func sameRoPE(want, got tensor.RoPEScaling, headDim int) error {
	a, scaleA, errA := tensor.RoPEFrequencies(want, headDim, 0)
	b, scaleB, errB := tensor.RoPEFrequencies(got, headDim, 0)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if len(a) != len(b) || math.Abs(scaleA-scaleB) > 1e-6 {
		return fmt.Errorf("got %d frequencies scaled by %v, want %d by %v", len(b), scaleB, len(a), scaleA)
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > divisorTolerance*a[i] {
			return fmt.Errorf("frequency %d: got %v, want %v", i, b[i], a[i])
		}
	}
	return nil
}
