// Merge adds a PEFT adapter to its base model and writes the sum as a Hugging
// Face folder, which needs no adapter any more. Without -adapter it converts: a GGUF
// file becomes a folder, or weights another type; with an -out that ends in .gguf it
// writes a file of llama.cpp. With -with it averages: checkpoints, or adapters of the
// same base, by a model soup, SLERP, TIES or DARE.
//
//	go run ./examples/merge -model gemma-3-270m-q4_k_m.gguf -adapter run1 -out merged -dtype bfloat16
//	go run ./examples/merge -model gemma-3-270m-q4_k_m.gguf -with run1,run2 -method ties -out merged.gguf -gguf q4_k
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

var (
	path    = flag.String("model", "", "Hugging Face `folder` or .gguf file of the base model; empty for the embedded tiny model")
	adapter = flag.String("adapter", "", "PEFT `folder` of the adapter; empty to convert only")
	out     = flag.String("out", "", "`folder` to write; it must not hold anything")
	dtype   = flag.String("dtype", "", "type of the weights: float32, bfloat16 or float16; empty keeps that of matrices (float32 for quantised ones)")
	kind    = flag.String("gguf", "f16", "type of the matrices in a .gguf file: f32, f16, bf16, q8_0, q4_0, q4_k, q5_k or q6_k")
	with    = flag.String("with", "", "average these, with commas between them: `folders` of checkpoints, or of adapters of -model")
	how     = flag.String("method", "linear", "how to average: linear, slerp, ties, dare or dare_ties; all but linear average what was added to -model")
	weights = flag.String("weights", "", "how much each of -with counts, with commas between them; empty: all the same")
	density = flag.Float64("density", 0, "share of elements that ties and dare keep; 0 for 0.2 and 0.5")
	seed    = flag.Uint64("seed", 0, "of what dare drops")
	asJSON  = flag.Bool("json", false, "print one JSON object a line and nothing else")
)

func main() {
	cli.Run("Merge adds a PEFT adapter to its base model and writes a Hugging Face folder.", run)
}

var dtypes = map[string]tensor.Dtype{"": {}, "float32": tensor.Float32, "bfloat16": tensor.BFloat16, "float16": tensor.Float16}

func run(context.Context) error {
	began := time.Now()
	stored, ok := dtypes[*dtype]
	if !ok {
		return fmt.Errorf("-dtype: got %q, want float32, bfloat16 or float16", *dtype)
	}
	if err := checkOut(*out); err != nil {
		return err
	}
	// Weights are merged in the type they are written in, and rounded once.
	c, err := cli.OpenModel(*path, auto.Options{Weights: stored})
	if err != nil {
		return err
	}
	defer c.Close()
	parameters, _ := model.ParamCount(c.Model)
	if err := say("start", started{c.Path, c.Family.ModelType, parameters, *adapter, *out, *dtype}); err != nil {
		return err
	}
	if *adapter != "" {
		if err := merge(c); err != nil {
			return err
		}
	}
	if *with != "" {
		if err := average(c, stored); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(*out)), 0o755); err != nil {
		return err
	}
	bytes, err := write(c, stored)
	if err != nil {
		return err
	}
	return say("result", written{*out, bytes, time.Since(began).Seconds()})
}

// merge adds the adapter to the weights in memory.
func merge(c *auto.Checkpoint) error {
	a, err := lora.Load(c.Model, "default", *adapter)
	if err != nil {
		return err
	}
	config := a.Config()
	r, err := a.Merge()
	if err != nil {
		return err
	}
	if len(r.Changed) == 0 {
		return fmt.Errorf("%s changes nothing: the adapter was not trained, or its changes are lost in the type of the weights (-dtype float32 keeps them)", *adapter)
	}
	return say("merged", merged{config.Rank, config.Alpha, len(r.Changed), r.Largest, r.Rounding, r.Shared})
}
