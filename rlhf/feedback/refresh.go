package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Source gives rollouts; rollout.Collector is one, and it is what rlhf.Options.Source
// wants.
type Source interface {
	Next(ctx context.Context, version int64) (*rollout.Rollout, error)
}

// resumable is a source whose position can be saved.
type resumable interface {
	State() (json.RawMessage, error)
	Restore(json.RawMessage) error
}

// Learner trains a reward model.
type Learner interface {
	// Learn goes on training with preferences among the policy's answers. When it
	// fails, for an ended context too, it is called again with the same ones.
	Learn(ctx context.Context, preferences []Preference) error
}

// LearnerFunc makes a Learner of a function.
type LearnerFunc func(ctx context.Context, preferences []Preference) error

// Learn implements Learner.
func (f LearnerFunc) Learn(ctx context.Context, preferences []Preference) error {
	return f(ctx, preferences)
}

// RefreshOptions control Refresh.
type RefreshOptions struct {
	// Every is k: the reward model learns after k rollouts, again and again; 0 means 16.
	Every int `json:"every,omitempty"`
	// Memory is the most preferences of earlier refreshes that are learnt from once
	// more, the latest of them, so that what was known is not forgotten; 0 means none.
	Memory int `json:"memory,omitempty"`
	// Label says how the fresh answers are compared. Its Seed counts on.
	Label LabelOptions `json:"label,omitzero"`
}

// Validate reports all faulty options.
func (o RefreshOptions) Validate() error {
	var faults []error
	if o.Every < 0 {
		faults = append(faults, fmt.Errorf("feedback: RefreshOptions.Every: got %d, want at least 1, or 0 for 16", o.Every))
	}
	if o.Memory < 0 {
		faults = append(faults, fmt.Errorf("feedback: RefreshOptions.Memory: got %d, want at least 0", o.Memory))
	}
	return errors.Join(append(faults, o.Label.Validate())...)
}

// Refreshed is a Source that keeps a reward model up to date. It is not safe for
// concurrent use.
type Refreshed struct {
	src     Source
	judge   Judge
	learner Learner
	opts    RefreshOptions
	at      refreshing
}

// refreshing is its position.
type refreshing struct {
	Rollouts  int             `json:"rollouts"`  // since the last refresh
	Fresh     []Case          `json:"fresh"`     // of those
	Memory    []Preference    `json:"memory"`    // of earlier ones
	Refreshes int             `json:"refreshes"` // so far
	Stats     LabelStats      `json:"stats"`     // of the last
	Source    json.RawMessage `json:"source,omitempty"`
}

// Refresh wraps the rollouts of src, whose rewarder is a learned model: after every k
// of them a judge (people, a larger model, a rule) compares their answers, and the
// learner trains the reward model on that, before the next rollout is scored. A reward
// model is right where it has seen answers; a policy that climbs it moves away from
// there. (Iterated online RLHF: Bai et al. 2022, arXiv:2204.05862, §4.5.)
//
// Its position is that of src, and the answers that are yet to be learnt from. The
// reward model's weights are not part of it: give the trainer a train.Companion that
// saves them.
func Refresh(src Source, j Judge, l Learner, o RefreshOptions) (*Refreshed, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if src == nil || j == nil || l == nil {
		return nil, errors.New("feedback: Refresh: got no source, judge or learner, want all")
	}
	if o.Every == 0 {
		o.Every = 16
	}
	return &Refreshed{src: src, judge: j, learner: l, opts: o}, nil
}

// Next implements rlhf.Source.
func (r *Refreshed) Next(ctx context.Context, version int64) (*rollout.Rollout, error) {
	if r.at.Rollouts >= r.opts.Every {
		if err := r.refresh(ctx); err != nil {
			return nil, err
		}
	}
	next, err := r.src.Next(ctx, version)
	if err != nil {
		return nil, err
	}
	r.at.Rollouts++
	r.at.Fresh = append(r.at.Fresh, Cases(next)...)
	return next, nil
}

// refresh labels and learns; nothing changes when that fails.
func (r *Refreshed) refresh(ctx context.Context) error {
	o := r.opts.Label
	o.Seed += uint64(r.at.Refreshes)
	fresh, stats, err := Label(ctx, r.judge, r.at.Fresh, o)
	if err != nil {
		return fmt.Errorf("feedback: refresh %d: %w", r.at.Refreshes+1, err)
	}
	all := append(append([]Preference{}, r.at.Memory...), fresh...)
	if len(all) > 0 {
		if err := r.learner.Learn(ctx, all); err != nil {
			return fmt.Errorf("feedback: refresh %d: %w", r.at.Refreshes+1, err)
		}
	}
	r.at.Memory = append([]Preference{}, all[max(0, len(all)-r.opts.Memory):]...)
	r.at.Refreshes++
	r.at.Rollouts, r.at.Fresh, r.at.Stats = 0, nil, stats
	return nil
}

// Refreshes is how often the reward model has learnt, and what its last labels were.
func (r *Refreshed) Refreshes() (int, LabelStats) { return r.at.Refreshes, r.at.Stats }

// State is the position, for Restore; nil where the source has none.
func (r *Refreshed) State() (json.RawMessage, error) {
	src, ok := r.src.(resumable)
	if !ok {
		return nil, nil
	}
	at := r.at
	var err error
	if at.Source, err = src.State(); err != nil {
		return nil, err
	}
	return json.Marshal(at)
}

// Restore goes back to a position.
func (r *Refreshed) Restore(raw json.RawMessage) error {
	src, ok := r.src.(resumable)
	if !ok {
		return fmt.Errorf("feedback: the source of rollouts (%T) has no position", r.src)
	}
	var at refreshing
	if err := json.Unmarshal(raw, &at); err != nil {
		return fmt.Errorf("feedback: state: %w", err)
	}
	if at.Rollouts < 0 || at.Rollouts > r.opts.Every || at.Refreshes < 0 || len(at.Memory) > r.opts.Memory {
		return fmt.Errorf("feedback: state: got %d rollouts, %d refreshes and %d preferences, want at most %d rollouts and %d preferences", at.Rollouts, at.Refreshes, len(at.Memory), r.opts.Every, r.opts.Memory)
	}
	if err := src.Restore(at.Source); err != nil {
		return err
	}
	at.Source = nil
	r.at = at
	return nil
}
