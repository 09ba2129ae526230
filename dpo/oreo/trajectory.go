package oreo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Trajectory is an answer with the reward it earned, as token ids.
type Trajectory struct {
	Prompt []int32 // at least one token
	Answer []int32 // at least one token, the end token included
	// Steps are the exclusive ends of the steps in Answer, rising to its length; only
	// StepLevel reads them, and nil is one step.
	Steps  []int32
	Reward float64 // at the end of the answer
	At     data.Place
}

// Len is the number of tokens.
func (t *Trajectory) Len() int { return len(t.Prompt) + len(t.Answer) }

// check refuses what cannot be computed.
func (t *Trajectory) check() error {
	switch {
	case len(t.Prompt) == 0:
		return fmt.Errorf("oreo: %v: got no prompt, want one token at least: nothing predicts the first token of a text", t.At)
	case len(t.Answer) == 0:
		return fmt.Errorf("oreo: %v: got an empty answer, want a token to learn from", t.At)
	case math.IsNaN(t.Reward) || math.IsInf(t.Reward, 0):
		return fmt.Errorf("oreo: %v: got the reward %v, want a finite number", t.At, t.Reward)
	}
	last := int32(0)
	for _, end := range t.Steps {
		if end <= last {
			return fmt.Errorf("oreo: %v: got steps that end at %v, want rising places", t.At, t.Steps)
		}
		last = end
	}
	if t.Steps != nil && int(last) != len(t.Answer) {
		return fmt.Errorf("oreo: %v: got a last step that ends at %d, want the answer's length %d", t.At, last, len(t.Answer))
	}
	return nil
}

func checkAll(list []Trajectory) error {
	if len(list) == 0 {
		return errors.New("oreo: got no trajectories, want at least one")
	}
	return policy.CheckAll(list, func(t Trajectory) error { return t.check() })
}

// Fingerprint is the SHA-256 of tokens, steps and rewards in hex.
func Fingerprint(list []Trajectory) string {
	return policy.Fingerprint(list, func(buf []byte, t Trajectory) []byte {
		return policy.AppendIDs(binary.LittleEndian.AppendUint64(buf, math.Float64bits(t.Reward)), t.Prompt, t.Answer, t.Steps)
	})
}

// Level says what an action is.
type Level uint8

// The levels.
const (
	// TokenLevel: every token is an action.
	TokenLevel Level = iota
	// StepLevel: every step of Trajectory.Steps is.
	StepLevel
	// ResponseLevel: the answer as a whole is.
	ResponseLevel
)

// String is "token", "step" or "response".
func (l Level) String() string {
	switch l {
	case TokenLevel:
		return "token"
	case StepLevel:
		return "step"
	case ResponseLevel:
		return "response"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// ends appends the exclusive ends of the actions of t, counted from offset.
func (l Level) ends(dst []int32, t *Trajectory, offset int32) []int32 {
	switch {
	case l == TokenLevel:
		for i := range t.Answer {
			dst = append(dst, offset+int32(i)+1)
		}
		return dst
	case l == StepLevel && t.Steps != nil:
		for _, end := range t.Steps {
			dst = append(dst, offset+end)
		}
		return dst
	}
	return append(dst, offset+int32(len(t.Answer)))
}
