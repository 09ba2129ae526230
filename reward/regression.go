package reward

import "github.com/posttrain/posttrain/tensor"

// Regression makes the score of an answer equal to its label s, such as a grade
// or a measured reward: L = (r − s)², the mean over the answers of a group.
//
// Wang et al. 2024, "HelpSteer2", arXiv:2406.08673, §4, trains reward models so.
type Regression struct{}

// Name is "regression".
func (Regression) Name() string { return "regression" }

// Traits implements Loss.
func (Regression) Traits() Traits { return Traits{Need: Labels} }

// Build implements Loss.
func (Regression) Build(_ *tensor.Graph, in Scores) Terms {
	off := tensor.Sub(in.Answer, in.Label)
	return Terms{
		Loss:    in.meanOverAnswers(tensor.Square(off)),
		Metrics: []Metric{{"mae", in.meanOverAnswers(tensor.Abs(off))}},
	}
}
