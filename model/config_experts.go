package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/model/nn"
)

// Experts describes mixtures of experts; the zero value is for models without any.
type Experts struct {
	Count     int     // num_local_experts, num_experts
	PerToken  int     // num_experts_per_tok
	Size      int     // width inside an expert: moe_intermediate_size, else intermediate_size
	Normalize bool    // norm_topk_prob: the weights of a token's experts sum to 1
	Balance   float64 // router_aux_loss_coef: how much tensor.LoadBalance counts in training by default
	Step      int     // decoder_sparse_step: every so-manieth layer has experts
	Dense     []int   // mlp_only_layers: layers without experts
}

// Sparse says whether layer i has experts.
func (e Experts) Sparse(i int) bool {
	return e.Count > 0 && e.Step > 0 && (i+1)%e.Step == 0 && !slices.Contains(e.Dense, i)
}

// readExperts reads the fields of mixtures of experts, for families that have them.
func (c *Config) readExperts(raw []byte, d Defaults) error {
	if d.Experts.Count == 0 {
		return nil
	}
	var f struct {
		Local     *int     `json:"num_local_experts"`
		Count     *int     `json:"num_experts"`
		PerToken  *int     `json:"num_experts_per_tok"`
		Size      *int     `json:"moe_intermediate_size"`
		Normalize *bool    `json:"norm_topk_prob"`
		Balance   *float64 `json:"router_aux_loss_coef"`
		Step      *int     `json:"decoder_sparse_step"`
		Dense     []int    `json:"mlp_only_layers"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("%w: config.json: %w", ErrConfig, err)
	}
	e := d.Experts
	size := e.Size
	if size == 0 {
		size = c.IntermediateSize
	}
	c.Experts = Experts{
		Count: or(f.Local, or(f.Count, e.Count)), PerToken: or(f.PerToken, e.PerToken), Size: or(f.Size, size),
		Normalize: or(f.Normalize, e.Normalize), Balance: or(f.Balance, e.Balance), Step: or(f.Step, 1), Dense: f.Dense,
	}
	return c.Experts.validate()
}

// validate reports every number that cannot be.
func (e Experts) validate() error {
	var errs []error
	limit := func(name string, got, most int) {
		if got < 1 || got > most {
			errs = append(errs, fmt.Errorf("%w: %s is %d, want 1 to %d", ErrConfig, name, got, most))
		}
	}
	limit("the number of experts", e.Count, 1<<12)
	limit("num_experts_per_tok", e.PerToken, min(max(e.Count, 1), 64))
	limit("moe_intermediate_size", e.Size, 1<<22)
	limit("decoder_sparse_step", e.Step, 1<<12)
	if !(e.Balance >= 0 && e.Balance < 1e6) {
		errs = append(errs, fmt.Errorf("%w: router_aux_loss_coef is %g, want a number from 0 on", ErrConfig, e.Balance))
	}
	return errors.Join(errs...)
}

// LoadMoE loads the mixture of experts at a module path: path.gate and
// path.experts.0 and so on.
func (l *Loader) LoadMoE(path string, names MoENames) *nn.MoE {
	c := l.config
	e := c.Experts
	m := &nn.MoE{Router: l.Matrix(path+".gate.weight", e.Count, c.HiddenSize), TopK: e.PerToken, Normalize: e.Normalize}
	for i := range e.Count {
		expert := fmt.Sprintf("%s.experts.%d.", path, i)
		m.Experts = append(m.Experts, &nn.GatedMLP{
			Gate:       l.Linear(expert+names.Gate, c.HiddenSize, e.Size, false),
			Up:         l.Linear(expert+names.Up, c.HiddenSize, e.Size, false),
			Down:       l.Linear(expert+names.Down, e.Size, c.HiddenSize, false),
			Activation: l.Activation(),
		})
	}
	return m
}

// MoENames are the names inside a mixture of experts, which families differ in.
type MoENames struct{ Gate, Up, Down string }
