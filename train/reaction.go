package train

// Reactive is a Schedule whose rate answers to measured values: to the watched
// metric of each evaluation. Its LR is the base rate; Start makes the state.
type Reactive interface {
	Schedule
	// Start returns the state at the beginning of a run.
	Start(base float64) Reaction
}

// Reaction is the state of a Reactive schedule. It must round-trip through
// encoding/json, and is part of every checkpoint.
type Reaction interface {
	// Rate is the learning rate in force.
	Rate() float64
	// Observe takes in one measured value.
	Observe(value float64)
}
