package ensemble

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/reward"
)

// Scorer scores samples in order. *reward.Model is one, and so is an Ensemble.
type Scorer interface {
	Name() string
	ScoreSamples(ctx context.Context, samples []reward.Sample) ([]float64, error)
}

// Verified makes a Scorer of a verifier.
func Verified(v reward.Verifier) Scorer { return verified{v} }

type verified struct{ reward.Verifier }

// ScoreSamples implements Scorer.
func (v verified) ScoreSamples(ctx context.Context, samples []reward.Sample) ([]float64, error) {
	return reward.Score(ctx, v.Verifier, samples)
}

// Standard is the level and the scale of a member's scores: it counts with
// (score − Mean)/Deviation.
type Standard struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"` // more than 0
}

// Judgement is what an Ensemble says of a sample.
type Judgement struct {
	Score   float64   // by the rule
	Members []float64 // the score of each member, by its Standard where there is one
	Spread  float64   // standard deviation of Members: where it grows in training, scores are leaving what the members know
}

// Ensemble scores with several members and a rule. It is a reward.Verifier and a
// Scorer, and safe for concurrent use if its members are, but for SetStandards and
// Standardise.
type Ensemble struct {
	name      string
	rule      Rule
	members   []string
	score     func(ctx context.Context, samples []reward.Sample) ([][]float64, error)
	standards []Standard
}

// New puts separate members together; name is what metrics call the whole.
func New(name string, rule Rule, members ...Scorer) (*Ensemble, error) {
	e := &Ensemble{name: name, rule: rule}
	for i, m := range members {
		if m == nil {
			return nil, fmt.Errorf("ensemble: %s: member %d is nil, want a Scorer", name, i)
		}
		e.members = append(e.members, m.Name())
	}
	e.score = func(ctx context.Context, samples []reward.Sample) ([][]float64, error) {
		list := make([][]float64, len(samples))
		for i, m := range members {
			scores, err := m.ScoreSamples(ctx, samples)
			if err == nil && len(scores) != len(samples) {
				err = fmt.Errorf("got %d scores, want one for each of %d samples", len(scores), len(samples))
			}
			if err != nil {
				return nil, fmt.Errorf("member %d (%s): %w", i, m.Name(), err)
			}
			for k, s := range scores {
				list[k] = append(list[k], s)
			}
		}
		return list, nil
	}
	return e, e.check()
}

// NewHeads takes each label of a model's head as a member: one forward pass serves
// all. Package reward opens such a model with Net.Mix, see Uniform.
func NewHeads(rule Rule, m *reward.Model, labels []string) (*Ensemble, error) {
	if m == nil {
		return nil, errors.New("ensemble: NewHeads: got no model, want one")
	}
	e := &Ensemble{name: m.Name(), rule: rule, members: labels}
	e.score = func(ctx context.Context, samples []reward.Sample) ([][]float64, error) {
		list, err := m.SampleColumns(ctx, samples)
		if err == nil && len(list) > 0 && len(list[0]) != len(labels) {
			err = fmt.Errorf("the head has %d outputs, want one for each of %d labels", len(list[0]), len(labels))
		}
		return list, err
	}
	return e, e.check()
}

// check refuses what cannot score.
func (e *Ensemble) check() error {
	if len(e.members) == 0 {
		return fmt.Errorf("ensemble: %s: got no members, want at least one", e.name)
	}
	if e.rule == nil {
		return fmt.Errorf("ensemble: %s: got no rule, want one such as Worst", e.name)
	}
	return e.rule.Validate()
}

// Name is the name that metrics carry.
func (e *Ensemble) Name() string { return e.name }

// Members are the names of the members.
func (e *Ensemble) Members() []string { return e.members }

// Judge scores samples and says what each member thinks.
func (e *Ensemble) Judge(ctx context.Context, samples []reward.Sample) ([]Judgement, error) {
	list, err := e.score(ctx, samples)
	if err != nil {
		return nil, fmt.Errorf("ensemble: %s: %w", e.name, err)
	}
	out := make([]Judgement, len(list))
	for i, scores := range list {
		for k := range e.standards {
			scores[k] = (scores[k] - e.standards[k].Mean) / e.standards[k].Deviation
		}
		out[i] = Judgement{Score: e.rule.Of(scores), Members: scores, Spread: math.Sqrt(variance(scores))}
	}
	return out, nil
}

// ScoreSamples implements Scorer.
func (e *Ensemble) ScoreSamples(ctx context.Context, samples []reward.Sample) ([]float64, error) {
	list, err := e.Judge(ctx, samples)
	scores := make([]float64, len(list))
	for i, j := range list {
		scores[i] = j.Score
	}
	return scores, err
}

// Verify implements reward.Verifier.
func (e *Ensemble) Verify(ctx context.Context, s reward.Sample) (float64, error) {
	scores, err := e.ScoreSamples(ctx, []reward.Sample{s})
	if err != nil {
		return 0, err
	}
	return scores[0], nil
}

var (
	_ reward.Verifier = (*Ensemble)(nil)
	_ Scorer          = (*Ensemble)(nil)
	_ Scorer          = (*reward.Model)(nil)
)
