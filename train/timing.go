package train

import (
	"slices"
	"time"
)

// timingNames are the fields of logs that depend on the clock. Two runs with the
// same options agree in every bit of all others.
var timingNames = []string{tokensPerSecondName, stepSecondsName, evalRuntimeName, "time_share/generation", "time_share/scoring", "time_share/training"}

// IsTiming says whether a field of metrics.jsonl is a measured time or speed,
// and so exempt from equality between runs.
func IsTiming(name string) bool { return slices.Contains(timingNames, name) }

// Stopwatch measures how long parts of a step take, for Timed. It is the only way
// in which stages read a clock.
type Stopwatch struct{ began time.Time }

// StartStopwatch begins to measure.
func StartStopwatch() Stopwatch { return Stopwatch{time.Now()} }

// Elapsed is the time since the start.
func (s Stopwatch) Elapsed() time.Duration { return time.Since(s.began) }
