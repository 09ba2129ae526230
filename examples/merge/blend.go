package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/blend"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

// method is the way of averaging that the flags name.
func method() (blend.Method, error) {
	var factors []float64
	for _, word := range list(*weights) {
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("-weights: got %q, want numbers with commas between them", *weights)
		}
		factors = append(factors, f)
	}
	switch *how {
	case "linear":
		return blend.Linear{Factors: factors}, nil
	case "slerp":
		at := 0.5
		if len(factors) == 2 && factors[0]+factors[1] != 0 {
			at = factors[1] / (factors[0] + factors[1])
		} else if factors != nil {
			return nil, fmt.Errorf("-weights: got %q, want two numbers for slerp, whose sum is not 0", *weights)
		}
		return blend.SLERP{T: at, Task: true}, nil
	case "ties":
		return blend.TIES{Density: *density, Factors: factors}, nil
	case "dare", "dare_ties":
		return blend.DARE{Density: *density, Factors: factors, Elect: *how == "dare_ties", Seed: *seed}, nil
	}
	return nil, fmt.Errorf("-method: got %q, want linear, slerp, ties, dare or dare_ties", *how)
}

// list cuts a flag at its commas.
func list(flag string) []string {
	return strings.FieldsFunc(flag, func(r rune) bool { return r == ',' })
}

// average sets the weights of c to the average of the models of -with, which are
// checkpoints, or adapters of c.
func average(c *auto.Checkpoint, stored tensor.Dtype) error {
	m, err := method()
	if err != nil {
		return err
	}
	var sets []blend.Set
	for _, from := range list(*with) {
		other, err := openOther(from, stored)
		if err != nil {
			return err
		}
		defer other.Close()
		sets = append(sets, other.Model.Params())
	}
	var base blend.Set
	if m.NeedsBase() {
		base = c.Model.Params()
	}
	if err := blend.Weights(c.Model.Params(), base, sets, m); err != nil {
		return err
	}
	return say("blended", blended{m.Name(), list(*with)})
}

// openOther opens a checkpoint, or merges an adapter into another copy of -model.
func openOther(from string, stored tensor.Dtype) (*auto.Checkpoint, error) {
	o := auto.Options{Weights: stored, NoTokenizer: true}
	if _, err := os.Stat(filepath.Join(from, "adapter_config.json")); err != nil {
		return auto.Open(from, o)
	}
	c, err := cli.OpenModel(*path, o)
	if err != nil {
		return nil, err
	}
	a, err := lora.Load(c.Model, "default", from)
	if err == nil {
		_, err = a.Merge()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
