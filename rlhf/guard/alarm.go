package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Metrics is what alarms look at; train.Metrics satisfies it.
type Metrics interface {
	Value(name string) (value float64, ok bool)
}

// Values is Metrics of a map.
type Values map[string]float64

// Value implements Metrics.
func (v Values) Value(name string) (float64, bool) {
	x, ok := v[name]
	return x, ok
}

// Alarm says when training should stop. Observe is called after each step, and returns the
// reason, or nothing. Metrics that are absent, or not a number, are passed over.
type Alarm interface {
	Name() string
	Observe(m Metrics) (reason string)
}

// Alarms asks several alarms.
type Alarms []Alarm

// Observe returns the reasons of all alarms that go off, by name: "entropy: …".
func (a Alarms) Observe(m Metrics) (reasons []string) {
	for _, alarm := range a {
		if reason := alarm.Observe(m); reason != "" {
			reasons = append(reasons, alarm.Name()+": "+reason)
		}
	}
	return reasons
}

// ErrAlarm is wrapped by the error of Alarms.Check.
var ErrAlarm = errors.New("guard: stop")

// Check is Observe as an error, for a hook that ends a run after a step
// (train.Hooks.Step).
func (a Alarms) Check(m Metrics) error {
	if reasons := a.Observe(m); reasons != nil {
		return fmt.Errorf("%w: %s", ErrAlarm, strings.Join(reasons, "; "))
	}
	return nil
}

// State is what the alarms have seen, to be kept beside a checkpoint.
func (a Alarms) State() (json.RawMessage, error) { return json.Marshal(a) }

// Restore sets alarms of the same kinds in the same order to a State.
func (a Alarms) Restore(state json.RawMessage) error {
	var each []json.RawMessage
	if err := json.Unmarshal(state, &each); err != nil {
		return fmt.Errorf("guard: state of alarms: %w", err)
	}
	if len(each) != len(a) {
		return fmt.Errorf("guard: state of alarms: got %d, want %d", len(each), len(a))
	}
	for i, raw := range each {
		if err := json.Unmarshal(raw, a[i]); err != nil {
			return fmt.Errorf("guard: state of alarm %s: %w", a[i].Name(), err)
		}
	}
	return nil
}

// number is a metric that can be compared.
func number(m Metrics, name string) (float64, bool) {
	v, ok := m.Value(name)
	return v, ok && !math.IsNaN(v)
}

// Limit goes off when a metric has been outside of its limits for more than Patience steps
// in a row: a KL budget, a share of repetition, a clipped share.
type Limit struct {
	Metric   string   `json:"metric"`
	Least    *float64 `json:"least,omitempty"`    // nil: none
	Most     *float64 `json:"most,omitempty"`     // nil: none
	Patience int      `json:"patience,omitempty"` // 0: at once
	Outside  int      `json:"outside"`            // state: steps outside so far
}

// Name is the metric's.
func (l *Limit) Name() string { return l.Metric }

// Observe implements Alarm.
func (l *Limit) Observe(m Metrics) string {
	v, ok := number(m, l.Metric)
	if !ok {
		return ""
	}
	fault := ""
	switch {
	case l.Least != nil && v < *l.Least:
		fault = fmt.Sprintf("%s is %.4g, want at least %.4g", l.Metric, v, *l.Least)
	case l.Most != nil && v > *l.Most:
		fault = fmt.Sprintf("%s is %.4g, want at most %.4g", l.Metric, v, *l.Most)
	default:
		l.Outside = 0
		return ""
	}
	if l.Outside++; l.Outside <= l.Patience {
		return ""
	}
	return fmt.Sprintf("%s (%d steps so far)", fault, l.Outside)
}

// Drift goes off when a metric has left its starting value, the mean over the first WarmUp
// steps, by more than a factor: entropy that collapses (Least 0.3), lengths that run off
// (Least 0.5, Most 2).
type Drift struct {
	Metric      string  `json:"metric"`
	Least, Most float64 // times the start; 0 is no limit on that side
	WarmUp      int     `json:"warm_up,omitempty"`  // steps: 10
	Patience    int     `json:"patience,omitempty"` // 0: at once

	Start   float64 `json:"start"`   // state: mean so far of the first steps
	Steps   int     `json:"steps"`   // state
	Outside int     `json:"outside"` // state
}

// Name is the metric's with "drift of" before it.
func (d *Drift) Name() string { return "drift of " + d.Metric }

// Observe implements Alarm.
func (d *Drift) Observe(m Metrics) string {
	v, ok := number(m, d.Metric)
	if !ok {
		return ""
	}
	warm := d.WarmUp
	if warm == 0 {
		warm = 10
	}
	if d.Steps++; d.Steps <= warm {
		d.Start += (v - d.Start) / float64(d.Steps)
		return ""
	}
	factor := v / d.Start
	if (d.Least == 0 || factor >= d.Least) && (d.Most == 0 || factor <= d.Most) {
		d.Outside = 0
		return ""
	}
	if d.Outside++; d.Outside <= d.Patience {
		return ""
	}
	return fmt.Sprintf("%s went from %.4g to %.4g, to %.2f of its start (%d steps outside)", d.Metric, d.Start, v, factor, d.Outside)
}

// Gap goes off when what is optimised keeps rising while what is meant falls: the mean of
// Gold over the last Window observations is below its best window by more than Margin, and
// that of Proxy above what it was there.
//
// Gold may be measured less often than Proxy: only steps with both count.
type Gap struct {
	Proxy  string  `json:"proxy"`
	Gold   string  `json:"gold"`
	Window int     `json:"window,omitempty"` // observations: 5
	Margin float64 `json:"margin"`           // of Gold, in its own unit

	ProxySeen []float64 `json:"proxy_seen"` // state: the last Window
	GoldSeen  []float64 `json:"gold_seen"`  // state
	BestGold  float64   `json:"best_gold"`  // state: the best window's mean
	BestProxy float64   `json:"best_proxy"` // state: Proxy's mean there
	Windows   int       `json:"windows"`    // state
}

// Name is "proxy–gold gap".
func (*Gap) Name() string { return "proxy–gold gap" }

// Observe implements Alarm.
func (g *Gap) Observe(m Metrics) string {
	proxy, ok := number(m, g.Proxy)
	gold, both := number(m, g.Gold)
	if !ok || !both {
		return ""
	}
	window := g.Window
	if window == 0 {
		window = 5
	}
	g.ProxySeen, g.GoldSeen = last(append(g.ProxySeen, proxy), window), last(append(g.GoldSeen, gold), window)
	if len(g.GoldSeen) < window {
		return ""
	}
	p, q := mean(g.ProxySeen), mean(g.GoldSeen)
	if g.Windows++; g.Windows == 1 || q > g.BestGold {
		g.BestGold, g.BestProxy = q, p
	}
	if q >= g.BestGold-g.Margin || p <= g.BestProxy {
		return ""
	}
	return fmt.Sprintf("%s fell from %.4g to %.4g while %s rose from %.4g to %.4g", g.Gold, g.BestGold, q, g.Proxy, g.BestProxy, p)
}

func last(x []float64, n int) []float64 { return slices.Clone(x[max(0, len(x)-n):]) }

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// KLBudget is a Limit on KL(π‖π₀) in nats a completion: √KL at most d, the distance at which
// a pilot run's gold reward was best (Curve.Peak).
func KLBudget(metric string, d float64) *Limit {
	most := d * d
	return &Limit{Metric: metric, Most: &most}
}

// EntropyCollapse is a Drift of the entropy to less than a share of its start.
func EntropyCollapse(metric string, share float64) *Drift {
	return &Drift{Metric: metric, Least: share, Patience: 2}
}

// LengthDrift is a Drift of the mean length by more than a factor, up or down.
func LengthDrift(metric string, factor float64) *Drift {
	return &Drift{Metric: metric, Least: 1 / factor, Most: factor, Patience: 2}
}

// Repetition is a Limit on the share of repetition.
func Repetition(metric string, share float64) *Limit {
	return &Limit{Metric: metric, Most: &share, Patience: 2}
}
