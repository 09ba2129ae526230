package reward

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Ordinal learns grades of which only the order is sure, such as one to five
// stars. Between each two neighbouring levels lies a cut θ, half way, and the
// score must be on the right side of every cut:
//
//	L = Σ_θ −log σ(s·(r − θ))·[label > θ] − log σ(−s·(r − θ))·[label < θ]
//
// in nats, with the slope s. Scores are on the scale of the labels.
//
// Rennie and Srebro 2005, "Loss Functions for Preference Levels: Regression with
// Discrete Ordered Labels", eq. 13 (all-threshold, logistic). There the cuts are
// learned; here they stand, as a scalar head has no place for them.
type Ordinal struct {
	// Levels are the possible labels, rising; at least two.
	Levels []float64 `json:"levels"`
	// Slope is s; 0 means 2 divided by the mean distance of levels.
	Slope float64 `json:"slope,omitempty"`
}

// Name is "ordinal".
func (Ordinal) Name() string { return "ordinal" }

// Traits implements Loss.
func (Ordinal) Traits() Traits { return Traits{Need: Labels} }

// Validate reports levels that do not rise.
func (l Ordinal) Validate() error {
	var faults []error
	if len(l.Levels) < 2 {
		faults = append(faults, fmt.Errorf("reward: Ordinal: got %d Levels, want at least 2", len(l.Levels)))
	}
	for i, v := range l.Levels {
		if math.IsNaN(v) || math.IsInf(v, 0) || i > 0 && v <= l.Levels[i-1] {
			faults = append(faults, fmt.Errorf("reward: Ordinal: Levels[%d] is %g, want a finite number above the one before it", i, v))
		}
	}
	if !(l.Slope >= 0) || math.IsInf(l.Slope, 0) {
		faults = append(faults, fmt.Errorf("reward: Ordinal: Slope is %g, want a positive number, or 0 for the default", l.Slope))
	}
	return errors.Join(faults...)
}

func (l Ordinal) slope() float64 {
	if l.Slope > 0 {
		return l.Slope
	}
	n := len(l.Levels) - 1
	return 2 * float64(n) / (l.Levels[n] - l.Levels[0])
}

// steepness makes a sigmoid a step between two levels: it tells on which side of
// a cut a label lies.
const steepness = 1e4

// Build implements Loss.
func (l Ordinal) Build(_ *tensor.Graph, in Scores) Terms {
	demand(l)
	var loss *tensor.Node
	for i := 1; i < len(l.Levels); i++ {
		cut, width := (l.Levels[i-1]+l.Levels[i])/2, l.Levels[i]-l.Levels[i-1]
		above := tensor.Sigmoid(tensor.Scale(tensor.AddScalar(in.Label, -cut), steepness/width))
		each := CrossEntropy(tensor.Scale(tensor.AddScalar(in.Answer, -cut), l.slope()), above)
		if loss == nil {
			loss = each
		} else {
			loss = tensor.Add(loss, each)
		}
	}
	return Terms{
		Loss:    in.meanOverAnswers(loss),
		Metrics: []Metric{{"mae", in.meanOverAnswers(tensor.Abs(tensor.Sub(in.Answer, in.Label)))}},
	}
}
