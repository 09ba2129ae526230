package rollout

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/generate"
)

// numbers are float64 as base64 of their little-endian bytes: exact, NaN
// included.
type numbers []float64

// MarshalJSON implements json.Marshaler.
func (x numbers) MarshalJSON() ([]byte, error) {
	if x == nil {
		return []byte("null"), nil
	}
	raw := make([]byte, 0, 8*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(raw))
}

// UnmarshalJSON implements json.Unmarshaler.
func (x *numbers) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil || text == nil {
		*x = nil
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(*text)
	if err != nil || len(raw)%8 != 0 {
		return fmt.Errorf("rollout: numbers: got %d bytes (%v), want a multiple of 8 in base64", len(raw), err)
	}
	*x = make(numbers, len(raw)/8)
	for i := range *x {
		(*x)[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return nil
}

// stored is a completion as saved; its prompt is one of a list.
type stored struct {
	Group      int64           `json:"group"`
	Index      int             `json:"index"`
	Prompt     int             `json:"prompt"`
	IDs        []int32         `json:"ids"`
	Roles      []byte          `json:"roles"`
	LogProbs   numbers         `json:"logprobs"`
	Sampler    numbers         `json:"sampler_logprobs"`
	Versions   []int64         `json:"versions"`
	Text       string          `json:"text,omitempty"`
	Finish     generate.Finish `json:"finish"`
	Rewards    numbers         `json:"rewards"` // the last one is the sum
	Old        numbers         `json:"old,omitempty"`
	Ref        numbers         `json:"ref,omitempty"`
	Advantages numbers         `json:"advantages,omitempty"`
	Values     numbers         `json:"values,omitempty"`
	Returns    numbers         `json:"returns,omitempty"`
}

// archive is a list of completions as saved, with the prompt of each group.
type archive struct {
	Prompts     []*Prompt `json:"prompts"`
	Completions []stored  `json:"completions"`
}

func store(list []*Completion) archive {
	var a archive
	places := map[int64]int{} // by group
	for _, c := range list {
		at, ok := places[c.Group]
		if !ok {
			at = len(a.Prompts)
			places[c.Group] = at
			a.Prompts = append(a.Prompts, c.Prompt)
		}
		s := stored{Group: c.Group, Index: c.Index, Prompt: at, Text: c.Text, Finish: c.Finish, IDs: c.IDs(),
			Rewards: append(append(numbers{}, c.Rewards...), c.Reward), Old: c.Old, Ref: c.Ref, Advantages: c.Advantages, Values: c.Values, Returns: c.Returns}
		for _, t := range c.Tokens {
			s.Roles, s.Versions = append(s.Roles, byte(t.Role)), append(s.Versions, t.Version)
			s.LogProbs, s.Sampler = append(s.LogProbs, t.LogProb), append(s.Sampler, t.SamplerLogProb)
		}
		a.Completions = append(a.Completions, s)
	}
	return a
}

func (a *archive) restore() ([]*Completion, error) {
	list := make([]*Completion, len(a.Completions))
	for i := range a.Completions {
		s := &a.Completions[i]
		n := len(s.IDs)
		if s.Prompt < 0 || s.Prompt >= len(a.Prompts) || len(s.Roles) != n || len(s.LogProbs) != n || len(s.Sampler) != n || len(s.Versions) != n || len(s.Rewards) == 0 ||
			badLength(s.Old, n) || badLength(s.Ref, n) || badLength(s.Advantages, n) || badLength(s.Values, n) || badLength(s.Returns, n) {
			return nil, fmt.Errorf("rollout: state: completion %d: got lists of unequal length, or prompt %d of %d", i, s.Prompt, len(a.Prompts))
		}
		last := len(s.Rewards) - 1
		c := &Completion{Group: s.Group, Index: s.Index, Prompt: a.Prompts[s.Prompt], Text: s.Text, Finish: s.Finish,
			Rewards: s.Rewards[:last:last], Reward: s.Rewards[last], Old: s.Old, Ref: s.Ref, Advantages: s.Advantages, Values: s.Values, Returns: s.Returns}
		for k, id := range s.IDs {
			c.Tokens = append(c.Tokens, Token{ID: id, Role: Role(s.Roles[k]), LogProb: s.LogProbs[k], SamplerLogProb: s.Sampler[k], Version: s.Versions[k]})
		}
		list[i] = c
	}
	return list, nil
}

func badLength(x numbers, n int) bool { return x != nil && len(x) != n }

// savedRollout is a Rollout in JSON; how long it took is not kept.
type savedRollout struct {
	Number  int64    `json:"number"`
	Names   []string `json:"names"`
	Epoch   float64  `json:"epoch"`
	Rounds  int      `json:"rounds"`
	Skipped int      `json:"skipped"`
	Reused  int      `json:"reused"`
	archive
}

// MarshalJSON saves a rollout exactly, but for Faults and Timing.
func (r *Rollout) MarshalJSON() ([]byte, error) {
	return json.Marshal(savedRollout{r.Number, r.Names, r.Epoch, r.Rounds, r.Skipped, r.Reused, store(r.Completions)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Rollout) UnmarshalJSON(raw []byte) error {
	var s savedRollout
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("rollout: state: %w", err)
	}
	list, err := s.restore()
	*r = Rollout{Number: s.Number, Names: s.Names, Epoch: s.Epoch, Rounds: s.Rounds, Skipped: s.Skipped, Reused: s.Reused, Completions: list}
	return err
}

// saved is the state of a Collector.
type saved struct {
	place
	Buffer archive `json:"buffer"`
	Size   []int   `json:"sizes"` // of the groups in the buffer
}

// State is the collector's position, for Restore.
func (c *Collector) State() (json.RawMessage, error) {
	s := saved{place: c.place}
	var all []*Completion
	for _, g := range c.buffer {
		all = append(all, g.list...)
		s.Size = append(s.Size, len(g.list))
	}
	s.Buffer = store(all)
	return json.Marshal(s)
}

// Restore goes back to a position of a collector over the same prompts with the
// same options.
func (c *Collector) Restore(raw json.RawMessage) error {
	var s saved
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("rollout: state: %w", err)
	}
	all, err := s.Buffer.restore()
	if err != nil {
		return err
	}
	var buffer []*group
	for _, n := range s.Size {
		if n < 1 || n > len(all) {
			return fmt.Errorf("rollout: state: group of %d completions, %d are left", n, len(all))
		}
		buffer = append(buffer, &group{list: all[:n:n], spread: spread(all[:n])})
		all = all[n:]
	}
	if s.Rollouts < 0 || s.Drawn < 0 || s.Groups < 0 {
		return fmt.Errorf("rollout: state: got %+v, want nothing below 0", s.place)
	}
	c.place, c.buffer = s.place, buffer
	return nil
}
