package rollout

import (
	"errors"
	"fmt"
)

// ErrRewarder is wrapped by errors about rewarders that end a run.
var ErrRewarder = errors.New("rollout: rewarder failed")

// FaultKind says what went wrong in a rewarder.
type FaultKind string

// The kinds of faults.
const (
	FaultError    FaultKind = "error"    // it returned an error
	FaultPanic    FaultKind = "panic"    // it panicked
	FaultDeadline FaultKind = "deadline" // it did not return in time
	FaultBusy     FaultKind = "busy"     // an earlier call has not returned yet, so it was not asked
	FaultLength   FaultKind = "length"   // it returned another number of rewards than it was asked for
	FaultInfinite FaultKind = "infinite" // a reward was infinite
)

// Fault is something that went wrong in a rewarder and was contained.
type Fault struct {
	Rewarder    string
	Kind        FaultKind
	Completions int // whose rewards are unknown because of it
	Err         error
}

// Error implements error.
func (f Fault) Error() string {
	return fmt.Sprintf("rollout: rewarder %s: %s, %d completions without a reward: %v", f.Rewarder, f.Kind, f.Completions, f.Err)
}

// FaultPolicy says what a rewarder's fault means for the run.
type FaultPolicy string

// The policies.
const (
	// FaultsUnknown leaves the rewards unknown: such completions count in no
	// statistic and, when no other rewarder knows them, nothing is learnt from
	// them. It is the default.
	FaultsUnknown FaultPolicy = ""
	// FaultsStop ends the run with an error that wraps ErrRewarder.
	FaultsStop FaultPolicy = "stop"
)
