package train

import (
	"errors"
	"fmt"
	"time"
)

// Step is what one optimizer step did. Metrics and Timing belong to the trainer
// and are valid until the next step.
type Step struct {
	// N counts steps from 1.
	N int
	// Loss is the stage's loss: Σ loss·weight over the denominator.
	Loss float64
	// GradNorm is the Euclidean norm of all gradients before clipping.
	GradNorm float64
	// LR is the learning rate that was used.
	LR float64
	// Epoch is how many passes over the data are done.
	Epoch float64
	// Tokens is the number of real tokens in all steps so far.
	Tokens int64
	// Elapsed is how long the step took.
	Elapsed time.Duration
	// Metrics is everything that is logged, the values above included.
	Metrics *Metrics
	// Timing is logged beside them; it is all that two equal runs differ in.
	Timing *Metrics
}

// ErrNonFinite is wrapped by errors about a loss or a gradient that is NaN or
// infinite.
var ErrNonFinite = errors.New("train: not finite")

// NonFiniteError says where training met a number that is not finite. The
// weights and the optimizer are those before the step.
type NonFiniteError struct {
	// Step is the step that could not be taken, from 1.
	Step int
	// Name is the parameter with the gradient, or "loss".
	Name string
	// Value is the loss, or the norm of all gradients.
	Value float64
}

// Error implements error.
func (e *NonFiniteError) Error() string {
	what := "gradient of parameter " + e.Name
	if e.Name == lossName {
		what = lossName
	}
	return fmt.Sprintf("train: step %d: %s: got %v, want a finite number (a lower learning rate or fewer outliers in the data may help)", e.Step, what, e.Value)
}

// Unwrap makes errors.Is(err, ErrNonFinite) hold.
func (e *NonFiniteError) Unwrap() error { return ErrNonFinite }
