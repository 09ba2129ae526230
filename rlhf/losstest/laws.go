package losstest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/tensor"
)

const (
	// step, in nats, balances rounding against curvature in central differences.
	step = 1e-5
	// differenceTol is what central differences with that step are good for, in float64
	// and for losses of order 1; relative above.
	differenceTol = 1e-7
	// exactTol is for numbers that differ by rounding only.
	exactTol = 1e-12
	// extreme is the log-ratio of an answer, in nats, at which losses must be finite.
	extreme = 50
)

// law is one that a loss must keep; keep says how it does not.
type law struct {
	name string
	keep func(l rlhf.Loss) error
}

// errDoesNotApply is what a law says to a loss that declares itself exempt.
var errDoesNotApply = errors.New("the loss declares that the law does not apply")

func laws() []law {
	return []law{
		{"has a name", named},
		{"gradients are those of differences", differences},
		{"extremes are finite", finite},
		{"masked tokens do not count", masks},
		{"empty slots do not count", slots},
		{"the order of rows does not matter", permutes},
		{"neighbours do not matter", alone},
		{"without advantage there is no gradient", indifferent},
		{"the value on the sampling policy is the declared one", declaredValue},
		{"the slope on the sampling policy is the declared one", declaredSlope},
		{"what had an advantage becomes likelier", improves},
		{"corrections multiply the gradient", corrects},
	}
}

// Run checks l against every law, each in a subtest of its name.
func Run(t *testing.T, l rlhf.Loss) {
	t.Helper()
	for _, law := range laws() {
		t.Run(law.name, func(t *testing.T) {
			switch err := law.keep(l); {
			case errors.Is(err, errDoesNotApply):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// Check is every law that l breaks, and how; nil for a loss without fault.
func Check(l rlhf.Loss) error {
	var faults []error
	for _, law := range laws() {
		if err := law.keep(l); err != nil && !errors.Is(err, errDoesNotApply) {
			faults = append(faults, fmt.Errorf("losstest: %s: %w", law.name, err))
		}
	}
	return errors.Join(faults...)
}

func named(l rlhf.Loss) error {
	if l.Name() == "" {
		return errors.New("got no name, want one: it is how a saved run knows its loss")
	}
	return l.Average().Validate()
}

// of is the loss alone as an objective.
func of(l rlhf.Loss) rlhf.Objective { return rlhf.Objective{Policy: l} }

func run(l rlhf.Loss, b Batch) (Outcome, error) { return Evaluate[float64](of(l), b) }

func differences(l rlhf.Loss) error {
	if rlhf.TraitsOf(l).StopsGradient {
		return errDoesNotApply
	}
	b := random(1)
	got, err := run(l, b)
	if err != nil {
		return err
	}
	for i, at := range b.LogProb {
		var side [2]float64
		for k, d := range [2]float64{step, -step} {
			b.LogProb[i] = at + d
			o, err := run(l, b)
			if err != nil {
				return err
			}
			side[k] = Total(o.Loss) / b.Denominator
		}
		b.LogProb[i] = at
		want := (side[0] - side[1]) / (2 * step)
		if err := near(got.Grad[i], want, differenceTol, "gradient of token %d", i); err != nil {
			return err
		}
	}
	return nil
}

// finite makes whole answers e^±extreme times as likely, with either advantage.
func finite(l rlhf.Loss) error {
	b := random(2)
	for i := range b.Rows {
		at := slices.Index(b.Mask[i*b.Width:], 1) + i*b.Width
		b.LogProb[at] = b.Old[at] + extreme*float64(1-2*(i%2))
		b.RowAdvantage[i] = []float64{1, 1, -1, -1}[i%4]
	}
	if err := allFinite[float64](l, b); err != nil {
		return err
	}
	return allFinite[float32](l, b)
}

func allFinite[T tensor.Float](l rlhf.Loss, b Batch) error {
	got, err := Evaluate[T](of(l), b)
	if err != nil {
		return err
	}
	for what, list := range map[string][]float64{"loss of row": got.Loss, "gradient of token": got.Grad} {
		for i, v := range list {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				var zero T
				return fmt.Errorf("%T: %s %d is %v, want a finite number", zero, what, i, v)
			}
		}
	}
	return nil
}

// masks writes other numbers at tokens of Mask 0.
func masks(l rlhf.Loss) error {
	b := random(3)
	want, err := run(l, b)
	if err != nil {
		return err
	}
	b.Advantage = b.advantages()
	for i, m := range b.Mask {
		if m == 0 {
			b.LogProb[i], b.Old[i], b.Advantage[i] = -7, -0.1, 9
		}
	}
	got, err := run(l, b)
	if err != nil {
		return err
	}
	for i, m := range b.Mask {
		if m == 0 && got.Grad[i] != 0 {
			return fmt.Errorf("gradient of masked token %d is %v, want 0", i, got.Grad[i])
		}
	}
	return same(got, want)
}

func slots(l rlhf.Loss) error {
	b := random(4)
	want, err := run(l, b)
	if err != nil {
		return err
	}
	got, err := evaluate[float64](of(l), b, 3)
	if err != nil {
		return err
	}
	return same(got, want)
}

// permutes turns the rows of each group round and swaps the groups.
func permutes(l rlhf.Loss) error {
	b, order := random(5), []int{5, 4, 3, 2, 1, 0}
	want, err := run(l, b)
	if err != nil {
		return err
	}
	got, err := run(l, b.take(order, []int32{2, 6}))
	if err != nil {
		return err
	}
	want.Loss, want.Grad = gather(want.Loss, order, 1), gather(want.Grad, order, b.Width)
	return same(got, want)
}

// alone computes each row, or each group, by itself.
func alone(l rlhf.Loss) error {
	b := random(6)
	together, err := run(l, b)
	if err != nil {
		return err
	}
	parts := [][]int{{0}, {1}, {2}, {3}, {4}, {5}}
	if rlhf.TraitsOf(l).WholeGroups {
		parts = [][]int{{0, 1, 2, 3}, {4, 5}}
	}
	for _, rows := range parts {
		part := b.take(rows, []int32{int32(len(rows))})
		got, err := run(l, part)
		if err != nil {
			return err
		}
		want := Outcome{Loss: gather(together.Loss, rows, 1), Grad: gather(together.Grad, rows, b.Width)}
		if err := same(got, want); err != nil {
			return fmt.Errorf("rows %v without the others: %w", rows, err)
		}
	}
	return nil
}

func indifferent(l rlhf.Loss) error {
	b := random(7)
	clear(b.RowAdvantage)
	got, err := run(l, b)
	if err != nil {
		return err
	}
	for i, v := range got.Grad {
		if err := near(v, 0, exactTol, "gradient of token %d, all advantages being 0", i); err != nil {
			return err
		}
	}
	return nil
}

func declaredValue(l rlhf.Loss) error {
	t := rlhf.TraitsOf(l)
	if !t.Known {
		return errDoesNotApply
	}
	b := random(8).onPolicy()
	got, err := run(l, b)
	if err != nil {
		return err
	}
	for i, each := range b.shares(l.Average()) {
		want := 0.0
		for _, share := range each {
			want -= t.AtOld * b.RowAdvantage[i] * share
		}
		if err := near(got.Loss[i], want, exactTol, "loss of row %d", i); err != nil {
			return err
		}
	}
	return nil
}

func declaredSlope(l rlhf.Loss) error {
	t := rlhf.TraitsOf(l)
	if t.Slope == 0 {
		return errDoesNotApply
	}
	b := random(9).onPolicy()
	got, err := run(l, b)
	if err != nil {
		return err
	}
	for i, each := range b.shares(l.Average()) {
		for k, share := range each {
			at := i*b.Width + k
			want := -t.Slope * b.RowAdvantage[i] * share / b.Denominator
			if err := near(got.Grad[at], want, exactTol, "gradient of token %d", at); err != nil {
				return err
			}
		}
	}
	return nil
}

// improves weighs a step against the gradient, on the sampling policy, by advantages
// that have the mean 0 in each group.
func improves(l rlhf.Loss) error {
	b := random(10).onPolicy()
	got, err := run(l, b)
	if err != nil {
		return err
	}
	gain := 0.0
	for i, g := range got.Grad {
		gain -= g * b.RowAdvantage[i/b.Width]
	}
	if !(gain > 0) {
		return fmt.Errorf("a step against the gradient changes Σ A·log π by %g, want more than 0", gain)
	}
	return nil
}

// corrects doubles the weight of every token, then of every row.
func corrects(l rlhf.Loss) error {
	if rlhf.TraitsOf(l).OwnWeight {
		return errDoesNotApply
	}
	b := random(11)
	plain, err := run(l, b)
	if err != nil {
		return err
	}
	want := Outcome{Loss: scaled(plain.Loss, 2), Grad: scaled(plain.Grad, 2)}
	tokens, rows := b, b
	tokens.Weight, rows.RowWeight = constant(len(b.LogProb), 2), constant(b.Rows, 2)
	for _, weighted := range []Batch{tokens, rows} {
		got, err := run(l, weighted)
		if err != nil {
			return err
		}
		if err := same(got, want); err != nil {
			return fmt.Errorf("with weights of 2: %w", err)
		}
	}
	return nil
}
