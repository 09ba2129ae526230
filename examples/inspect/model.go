package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
)

// facts are the parts of a configuration that people ask for.
type facts struct {
	Model     string   `json:"model"`
	Format    string   `json:"format"`
	ModelType string   `json:"model_type"`
	Families  []string `json:"families"` // that the library knows
	Vocab     int      `json:"vocab_size"`
	Width     int      `json:"hidden_size"`
	Inner     int      `json:"intermediate_size"`
	Layers    int      `json:"num_hidden_layers"`
	Sliding   int      `json:"sliding_layers"` // of them, see only a window
	Window    int      `json:"sliding_window"`
	Heads     int      `json:"num_attention_heads"`
	KVHeads   int      `json:"num_key_value_heads"`
	HeadDim   int      `json:"head_dim"`
	Context   int      `json:"max_position_embeddings"`
	Act       string   `json:"hidden_act"`
	RoPE      string   `json:"rope_type"`
	Theta     float64  `json:"rope_theta"`
	Tied      bool     `json:"tie_word_embeddings"`
	BOS       int32    `json:"bos_token_id"`
	EOS       []int32  `json:"eos_token_id"`
}

func describe(c *auto.Checkpoint) facts {
	k := c.Model.Config()
	f := facts{
		Model: c.Path, Format: c.Format, ModelType: k.ModelType, Vocab: k.VocabSize, Width: k.HiddenSize, Inner: k.IntermediateSize,
		Layers: k.NumHiddenLayers, Window: k.SlidingWindow, Heads: k.NumAttentionHeads, KVHeads: k.NumKeyValueHeads, HeadDim: k.HeadDim,
		Context: k.MaxPositionEmbeddings, Act: k.HiddenAct, RoPE: k.RoPE.Type, Theta: k.RoPE.Theta, Tied: k.TieWordEmbeddings, BOS: k.BOS, EOS: k.EOS,
	}
	switch {
	case k.LearnedPositions:
		f.RoPE = "none, positions are learned"
	case f.RoPE == "":
		f.RoPE = "default"
	}
	for i := range k.NumHiddenLayers {
		if k.Sliding(i) {
			f.Sliding++
		}
	}
	for _, family := range auto.Families() {
		f.Families = append(f.Families, family.ModelType)
	}
	return f
}

// rotary is the kind of rotary positions, and their base where they have one.
func (f facts) rotary() string {
	if f.Theta == 0 {
		return f.RoPE
	}
	return fmt.Sprintf("%s, θ %g", f.RoPE, f.Theta)
}

func (f facts) String() string {
	var s strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&s, "%-12s"+format+"\n", append([]any{name}, args...)...)
	}
	line("model", "%s (%s)", f.Model, f.Format)
	line("family", "%s, of %s", f.ModelType, strings.Join(f.Families, ", "))
	line("layers", "%d of width %d, inner width %d (%s)", f.Layers, f.Width, f.Inner, f.Act)
	line("attention", "%d heads of %d, %d for keys and values; rotary %s", f.Heads, f.HeadDim, f.KVHeads, f.rotary())
	if f.Sliding > 0 {
		line("", "%d layers see a window of %d tokens", f.Sliding, f.Window)
	}
	line("context", "%d tokens", f.Context)
	tied := "a head of its own"
	if f.Tied {
		tied = "embedding and head are one"
	}
	line("vocabulary", "%d tokens, %s; BOS %d, EOS %v", f.Vocab, tied, f.BOS, f.EOS)
	return strings.TrimRight(s.String(), "\n")
}

// sums are the numbers of parameters, in all and of each storage type.
type sums struct {
	Total  int     `json:"total"`
	Bytes  int     `json:"bytes"`
	Dtypes []dtype `json:"dtypes"`
}

type dtype struct {
	Name     string `json:"dtype"`
	Tensors  int    `json:"tensors"`
	Elements int    `json:"elements"`
	Bytes    int    `json:"bytes"`
}

// count adds up the parameters as they are in memory.
func count(m model.Model) sums {
	var s sums
	for _, p := range m.Params() {
		name := dtypeName(p.Dtype())
		i := slices.IndexFunc(s.Dtypes, func(d dtype) bool { return d.Name == name })
		if i < 0 {
			i, s.Dtypes = len(s.Dtypes), append(s.Dtypes, dtype{Name: name})
		}
		d := &s.Dtypes[i]
		d.Tensors++
		d.Elements += p.Len()
		d.Bytes += p.Bytes()
		s.Total += p.Len()
		s.Bytes += p.Bytes()
	}
	return s
}

// dtypeName is the name that people know.
func dtypeName(d tensor.Dtype) string {
	switch d {
	case tensor.BFloat16:
		return "bfloat16"
	case tensor.Float16:
		return "float16"
	}
	return d.String()
}

func (s sums) String() string {
	var parts []string
	for _, d := range s.Dtypes {
		parts = append(parts, fmt.Sprintf("%d tensors %s, %.1f MiB", d.Tensors, d.Name, mib(int64(d.Bytes))))
	}
	return fmt.Sprintf("%-12s%d in memory as %s", "parameters", s.Total, strings.Join(parts, "; "))
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// parameter is one of them.
type parameter struct {
	Name  string `json:"name"`
	Dtype string `json:"dtype"`
	Shape []int  `json:"shape"`
}

func (p parameter) String() string { return fmt.Sprintf("  %s %s %v", p.Name, p.Dtype, p.Shape) }
