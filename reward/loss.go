package reward

import (
	"github.com/posttrain/posttrain/tensor"
)

// Scores is what a loss sees of a micro-batch: B groups, each a prompt with
// answers y₁ … y_K, and the scores r(x, y) that the reward model gives them. A
// score has no unit; with a head of two classes it is the log-odds, in nats, of
// the second. Index arrays are int32; only scores carry a gradient.
type Scores struct {
	Answer       *tensor.Node // (A) score of each answer, at its last scored token; best answer of a group first
	AnswerEnds   *tensor.Node // (B) exclusive end of each group's answers
	AnswerWeight *tensor.Node // (A) 1 / answers of the group
	Label        *tensor.Node // (A) what the score should be, 0 where a group is not labelled
	Length       *tensor.Node // (A) tokens of the answer

	Better, Worse *tensor.Node // (P) the two answers of each comparison
	Margin        *tensor.Node // (P) by how much the first should win at least
	PairWeight    *tensor.Node // (P) 1 / comparisons of the group
	PairEnds      *tensor.Node // (B) exclusive end of each group's comparisons

	Row       *tensor.Node // (R) score at every scored token
	RowLabel  *tensor.Node // (R) what it should be
	RowWeight *tensor.Node // (R) AnswerWeight / scored tokens of the answer
	RowEnds   *tensor.Node // (B) exclusive end of each group's scored tokens

	Outputs *tensor.Node // (R,C) what the head says at every scored token
	Last    *tensor.Node // (A) the row of each answer's score
	Head    *tensor.Node // (C,D) weight of the head; nil where there is only its output (Calculator)
}

// difference is r(better) − r(worse) of each comparison, (P).
func (in Scores) difference() *tensor.Node {
	return tensor.Sub(tensor.Gather(in.Answer, in.Better), tensor.Gather(in.Answer, in.Worse))
}

// meanOverPairs is the mean of x (P) over each group's comparisons.
func (in Scores) meanOverPairs(x *tensor.Node) *tensor.Node {
	return tensor.WeightedSegmentSum(x, in.PairWeight, in.PairEnds)
}

// meanOverAnswers is the mean of x (A) over each group's answers.
func (in Scores) meanOverAnswers(x *tensor.Node) *tensor.Node {
	return tensor.WeightedSegmentSum(x, in.AnswerWeight, in.AnswerEnds)
}

// Terms is what a loss makes of a micro-batch.
type Terms struct {
	// Loss is the loss of each group, (B); of each scored token, (R), where the
	// loss has Traits.PerRow.
	Loss *tensor.Node
	// Metrics are logged as means over groups.
	Metrics []Metric
}

// Metric is a number to log for each group, (B).
type Metric struct {
	Name  string
	Value *tensor.Node
}

// Loss says what is minimised: a function of the scores of answers. The trainer
// sums the losses of all groups of an optimizer step and divides once by their
// number. Build stops graph building on misuse (tensor.Fail).
type Loss interface {
	// Name identifies the loss in saved options and on command lines.
	Name() string
	Build(g *tensor.Graph, in Scores) Terms
	// Traits are what the loss needs to be computed.
	Traits() Traits
}

// Need is what a loss needs to know of each group.
type Need uint8

// What losses need.
const (
	Comparisons Need = iota // that some answer is better than another
	Ranking                 // the order of all answers, without ties
	Labels                  // a label of each answer
	Marks                   // labels of marked tokens
)

// String names what is needed.
func (n Need) String() string {
	return [...]string{"a comparison", "a ranking without ties", "a label of each answer", "a marked token"}[n]
}

// Traits are what a loss declares about itself.
type Traits struct {
	Need Need
	// ScoreAt says which tokens of an answer get a score.
	ScoreAt ScoreAt
	// PerRow losses are divided by the number of scored tokens, not of groups.
	PerRow bool
	// LogOdds says that scores are log-odds of labels: the metric accuracy is then
	// the share of scores on the label's side of 0.
	LogOdds bool
	// BatchCoupled losses let the groups of a micro-batch influence each other, so
	// that an optimizer step must be one micro-batch for its groups to meet.
	BatchCoupled bool
}

// ScoreAt says which tokens of an answer get a score.
type ScoreAt uint8

// The choices of scored tokens.
const (
	LastToken    ScoreAt = iota // the last one
	EveryToken                  // all of them
	MarkedTokens                // those that the answer marks
)

// String names the choice.
func (s ScoreAt) String() string {
	return [...]string{"the last token", "every token", "marked tokens"}[s]
}

// validator is a loss that can tell that its hyperparameters make no sense.
type validator interface{ Validate() error }

// check reports faulty hyperparameters of l.
func check(l Loss) error {
	if v, ok := l.(validator); ok {
		return v.Validate()
	}
	return nil
}

// demand stops graph building on faulty hyperparameters.
func demand(l Loss) {
	if err := check(l); err != nil {
		tensor.Fail("%v", err)
	}
}

// Losses lists one of every loss of this package, with its default
// hyperparameters, for documentation, command lines and tests.
func Losses() []Loss {
	return []Loss{BradleyTerry{}, PlackettLuce{}, Regression{}, Ordinal{Levels: []float64{1, 2, 3, 4, 5}}, Outcome{}, Outcome{EveryToken: true}}
}
