package main

import (
	"fmt"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// need is the memory of one way of fine-tuning, in bytes.
type need struct {
	Method      string `json:"method"` // lora or full
	Tokens      int    `json:"tokens"` // of a micro-batch
	Recompute   bool   `json:"recompute"`
	Weights     int64  `json:"weights"`
	Gradients   int64  `json:"gradients"`
	Optimizer   int64  `json:"optimizer"`
	Activations int64  `json:"activations"`
	Total       int64  `json:"total"`
	// Fits says whether the machine has so much memory now, beside the weights
	// of this process; it is left out where that is not known.
	Fits *bool `json:"fits,omitempty"`

	first bool // of the table
}

// plan says what SFT with AdamW would take; nothing of it is allocated.
func plan(m model.Model, sizes []int, rank int) ([]need, error) {
	a, err := lora.Attach(m, "default", lora.Config{Rank: rank})
	if err != nil {
		return nil, err
	}
	list, err := planMethod(sft.Policy{Model: m, Adapter: a}, "lora", sizes)
	a.Remove()
	if err != nil {
		return nil, err
	}
	list[0].first = true
	full, err := planFull(m, sizes)
	return append(list, full...), err
}

// planFull plans training of all weights, which must be opened as float32 for it.
func planFull(m model.Model, sizes []int) ([]need, error) {
	wide, narrow := int64(0), false
	for _, p := range m.Params() {
		wide += int64(max(p.Bytes(), 4*p.Len()))
		narrow = narrow || p.Bytes() < 4*p.Len()
	}
	if !narrow {
		return planMethod(sft.Policy{Model: m}, "full", sizes)
	}
	if available, known := train.AvailableMemory(); known && wide > available/2 {
		fits := false // without the activations already
		return []need{{"full", 0, false, wide, wide, 2 * wide, 0, 4 * wide, &fits, false}}, nil
	}
	c, err := cli.OpenModel(*path, auto.Options{Weights: tensor.Float32, SkipFiniteCheck: true, NoTokenizer: true})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return planMethod(sft.Policy{Model: c.Model}, "full", sizes)
}

func planMethod(p sft.Policy, method string, sizes []int) ([]need, error) {
	available, known := train.AvailableMemory()
	var list []need
	for _, tokens := range sizes {
		for _, recompute := range []bool{false, true} {
			m, err := sft.PlanMemory(p, sft.Options{MicroTokens: tokens, Recompute: recompute})
			if err != nil {
				return nil, err
			}
			n := need{method, tokens, recompute, m.Weights, m.Gradients, m.Optimizer, m.Arena, m.Total(), nil, false}
			if fits := m.Total()-m.Weights <= available; known {
				n.Fits = &fits
			}
			list = append(list, n)
		}
	}
	return list, nil
}

func (n need) String() string {
	text := ""
	if n.first {
		text = "\nmemory in MiB for fine-tuning with micro-batches of so many tokens\n" +
			"method  tokens  recompute     total   weights  gradients  optimizer  activations\n"
	}
	again := "no"
	if n.Recompute {
		again = "yes"
	}
	text += fmt.Sprintf("%-6s  %6d  %9s  %8.1f  %8.1f  %9.1f  %9.1f  %11.1f", n.Method, n.Tokens, again, mib(n.Total), mib(n.Weights), mib(n.Gradients), mib(n.Optimizer), mib(n.Activations))
	if n.Fits != nil && !*n.Fits {
		text += "  does not fit now"
	}
	return text
}
