package main

import (
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/houlsby"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/sft"
)

var (
	method  = flag.String("method", "lora", "adapter to train: lora, houlsby (bottlenecks of width -rank), or virtual tokens: prompt, prefix, p-tuning (which want a -lr of 1e-3 to 3e-1)")
	virtual = flag.Int("virtual-tokens", 20, "number of virtual tokens")
)

// addAdapter gives the policy the adapter in -adapter, of whatever kind, or a fresh
// one.
func addAdapter(p *sft.Policy) error {
	if flags.Adapter != "" {
		a, err := auto.OpenAdapter(p.Model, "default", flags.Adapter)
		if err != nil {
			return err
		}
		p.Tuner = a
		return a.SetTrainable(true)
	}
	a, err := fresh(p.Model)
	p.Tuner = a
	return err
}

// fresh attaches an adapter of the kind that -method names.
func fresh(m model.Model) (sft.Tuner, error) {
	c := soft.Config{Tokens: *virtual, Seed: flags.Seed}
	switch *method {
	case "lora":
		return lora.Attach(m, "default", lora.Config{Rank: flags.Rank, Alpha: 2 * float64(flags.Rank), Seed: flags.Seed})
	case "houlsby":
		return houlsby.Attach(m, "default", houlsby.Config{Width: flags.Rank, Seed: flags.Seed})
	case "prompt":
	case "prefix":
		c.Kind = soft.PrefixTuning
	case "p-tuning":
		c.Kind = soft.PTuning
	default:
		return nil, fmt.Errorf("-method: got %q, want lora, houlsby, prompt, prefix or p-tuning", *method)
	}
	return soft.Attach(m, "default", c)
}

// adapterSettings are -method and -virtual-tokens where they mean something and are not
// the usual ones, so that runs from before they were there can be resumed.
func adapterSettings() (kind string, tokens int) {
	switch {
	case flags.Full || flags.Adapter != "" || *method == "lora":
		return "", 0
	case *method == "houlsby":
		return *method, 0
	}
	return *method, *virtual
}
