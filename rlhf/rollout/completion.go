package rollout

import "github.com/posttrain/posttrain/generate"

// Role says where a token comes from.
type Role uint8

// The roles.
const (
	Sampled     Role = iota // drawn from the policy: what learning is about
	Observation             // put there by an environment: read, never learnt
	Given                   // from the data: learnt as such, never paid for (rlhf.Taught)
)

// Token is a token of a completion with its provenance.
type Token struct {
	ID   int32
	Role Role
	// LogProb is that of the raw model, and SamplerLogProb that under the
	// distribution sampled from (after temperature and truncation); nats, NaN
	// where the sampler did not say, 0 for observations.
	LogProb, SamplerLogProb float64
	// Version is the number of optimizer steps that the policy had made.
	Version int64
}

// Completion is one answer to a prompt.
type Completion struct {
	Group  int64 // id; completions with the same one compete with each other
	Index  int   // its number in the group
	Prompt *Prompt
	Tokens []Token // the end token included; may be empty
	Text   string  // cut before a stop string; "" when nothing decodes
	Finish generate.Finish

	// Rewards are those of each rewarder, before weights; NaN where none is known.
	Rewards []float64
	// Reward is the weighted sum of the known ones; NaN when none is.
	Reward float64

	// Old, Ref and Advantages, one a token, are filled by a trainer: log-probabilities
	// under the policy that sampled and under the reference, and what to learn.
	Old, Ref, Advantages []float64
	// Values and Returns are those of a critic, where there is one.
	Values, Returns []float64
}

// IDs are the ids of all tokens.
func (c *Completion) IDs() []int32 {
	ids := make([]int32, len(c.Tokens))
	for i, t := range c.Tokens {
		ids[i] = t.ID
	}
	return ids
}

// Truncated says that the completion was cut by a limit on its length.
func (c *Completion) Truncated() bool { return c.Finish == generate.FinishLength }

// Rollout is what the policy said to a number of prompts.
type Rollout struct {
	Number      int64 // counts from 0
	Completions []*Completion
	Names       []string // of the rewarders, in the order of Completion.Rewards
	// Greedy are the completions of greedy decoding, one a group, with Options.Greedy.
	Greedy []*Completion
	Epoch  float64 // passes over the prompts that are done with it

	Rounds  int     // times prompts were drawn: 1 without dynamic sampling
	Skipped int     // groups without spread that were drawn and not used
	Reused  int     // groups that come from the replay buffer
	Faults  []Fault // of rewarders

	// Timing says how long it took; nothing else may depend on it.
	Timing Timing
}
