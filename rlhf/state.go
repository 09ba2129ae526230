package rlhf

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/internal/saved"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// fingerprint is the SHA-256 of all that prompts are.
func fingerprint(prompts []rollout.Prompt) string {
	sum := sha256.New()
	var buf []byte
	for i := range prompts {
		p := &prompts[i]
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(p.IDs)))
		for _, id := range p.IDs {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
		}
		buf = append(append(buf, p.Reference...), 0)
		for _, name := range slices.Sorted(maps.Keys(p.Columns)) {
			buf = append(append(append(append(buf, name...), 0), p.Columns[name]...), 0)
		}
		sum.Write(buf)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// state is what the stage adds to a checkpoint.
type state struct {
	Steps   uint64            `json:"steps"`
	At      int               `json:"at"`
	Before  float64           `json:"before"`
	Rollout *rollout.Rollout  `json:"rollout,omitempty"` // with steps left
	Epoch   float64           `json:"epoch"`             // of the latest rollout
	Control controls          `json:"control"`
	Alarms  json.RawMessage   `json:"alarms,omitempty"`
	Stopped []string          `json:"stopped,omitempty"`
	Source  json.RawMessage   `json:"source,omitempty"`
	Data    string            `json:"data"`
	Options map[string]string `json:"options"`
}

// identity lists what decides what a step computes. Options that only say how much
// memory it takes may change in a run.
func (s *stage) identity() map[string]string {
	o := s.opts
	all := map[string]any{
		"objective": o.Objective, "advantages": o.Advantages, "kl_in_reward": o.KLInReward, "reward_clip": o.RewardClip, "kl_control": o.KLControl, "entropy_control": o.EntropyControl, "top_entropy": o.TopEntropy, "constraints": o.Constraints, "taught": o.Taught, "rollout": o.Rollout,
		"steps_per_generation": o.StepsPerGeneration, "iterations": o.Iterations, "sequential": o.Sequential, "mask_truncated": o.MaskTruncated,
		"correction": o.Correction, "micro_rows": o.MicroRows, "micro_means": o.MicroMeans, "generate": generated(o),
	}
	out := map[string]string{
		"objective": o.Objective.Policy.Name(), "advantages": o.Advantages.Name(), "order": o.Rollout.Order.Name(), "reference": "",
	}
	if c := s.opts.Critic; c != nil {
		d := c.withDefaults()
		out["critic"] = fmt.Sprintf("coef %g, gamma %g, lambda %g, clip %g, keep scale %t, own model %t", d.Coef, d.Gamma, d.Lambda, d.Loss.Clip, d.KeepScale, c.Model != nil)
	}
	if len(o.Taught.Texts) > 0 {
		out["taught"] = o.Taught.fingerprint()
	}
	if s.reference != nil {
		out["reference"] = s.reference.name
	}
	for name, v := range all {
		raw, err := json.Marshal(v)
		if err != nil { // infinite hyperparameters have no JSON
			raw = fmt.Appendf(nil, "%+v", v)
		}
		out[name] += string(raw)
	}
	return out
}

// generated are the settings of sampling.
func generated(o Options) any {
	g := o.Generate
	g.Seed, g.First = 0, 0
	return g
}

// State implements train.Stage.
func (s *stage) State() (json.RawMessage, error) {
	st := state{Steps: s.count, At: s.at, Before: s.before, Control: s.control, Data: s.data, Options: s.identity()}
	if s.roll != nil {
		st.Epoch = s.roll.Epoch
		if s.at < s.opts.steps() {
			st.Rollout = s.roll
		}
	}
	st.Stopped = s.stopped
	var err error
	if st.Alarms, err = s.opts.Alarms.State(); err != nil {
		return nil, fmt.Errorf("rlhf: %w", err)
	}
	if src, ok := s.source.(resumable); ok {
		if st.Source, err = src.State(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(st)
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("rlhf: state: %w", err)
	}
	src, ok := s.source.(resumable)
	if !ok || len(st.Source) == 0 {
		return fmt.Errorf("rlhf: the source of rollouts (%T) has no position, so a run over it cannot be resumed", s.source)
	}
	if err := saved.Unchanged(s.identity(), st.Options); err != nil {
		return err
	}
	if s.data != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", ErrDataChanged, s.data, st.Data)
	}
	if st.At < 0 || st.At > s.opts.steps() || st.Rollout == nil && st.At < s.opts.steps() && st.Steps > 0 {
		return fmt.Errorf("rlhf: state: got step %d of %d of a rollout", st.At, s.opts.steps())
	}
	if err := src.Restore(st.Source); err != nil {
		return err
	}
	if err := s.opts.Alarms.Restore(st.Alarms); err != nil {
		return fmt.Errorf("rlhf: state: %w", err)
	}
	s.stopped = st.Stopped
	s.count, s.at, s.before, s.control = st.Steps, st.At, st.Before, st.Control
	if s.roll = st.Rollout; s.roll == nil && st.Steps > 0 {
		s.roll = &rollout.Rollout{Epoch: st.Epoch} // used up
	}
	if s.ready = s.roll != nil; st.Rollout != nil {
		s.correct()
	}
	return nil
}

// SaveWeights implements train.Stage: a PEFT folder for an adapter, else
// model.safetensors with every trained weight.
func (s *stage) SaveWeights(dir string) error {
	err := policy.Policy(s.policy).Save(dir, s.opts.BaseModel)
	if err == nil && s.judge != nil {
		err = policy.SaveParams(filepath.Join(dir, criticFile), s.judge.params)
	}
	if err != nil {
		return fmt.Errorf("rlhf: %w", err)
	}
	return nil
}

// criticFile holds what is the critic's own in a checkpoint.
const criticFile = "critic.safetensors"

// LoadWeights implements train.Stage.
func (s *stage) LoadWeights(dir string) error {
	err := policy.Policy(s.policy).Load(dir)
	if err == nil && s.judge != nil {
		err = policy.LoadParams(filepath.Join(dir, criticFile), s.judge.params)
	}
	if err != nil {
		return fmt.Errorf("rlhf: %w", err)
	}
	return nil
}

// Export implements train.Exporter.
func (s *stage) Export(dir string) error {
	if s.opts.Export != nil {
		return s.opts.Export(dir)
	}
	if err := policy.Policy(s.policy).Save(dir, s.opts.BaseModel); err != nil {
		return fmt.Errorf("rlhf: %w", err)
	}
	return nil
}
