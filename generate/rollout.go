package generate

import (
	"fmt"
	"slices"
)

// rollout decodes a list of prompts over the slots of the cache.
type rollout struct {
	g        *Generator
	opt      Options
	prompts  [][]int32
	next     int // prompt that waits for a slot
	slots    []*sequence
	prefixes []*prefix // what lies at the beginning of each slot, nil for nothing that is waited for
	stops    []int32
	events   []event // of the latest step
	due      []int   // slots whose next token comes from this batch
}

func newRollout(g *Generator, prompts [][]int32, o Options) *rollout {
	r := &rollout{g: g, opt: o, prompts: prompts, slots: make([]*sequence, g.cfg.Sequences), prefixes: make([]*prefix, g.cfg.Sequences)}
	if !o.IgnoreEOS {
		r.stops = append(r.stops, g.model.Config().EOS...)
	}
	r.stops = append(r.stops, o.StopIDs...)
	g.sampler.opt = o
	return r
}

// advance makes one step: a batch of prompts while any are waiting, else one
// token of every sequence. It reports whether there is more to do.
func (r *rollout) advance() (more bool, err error) {
	r.events = r.events[:0]
	if err := r.admit(); err != nil {
		return false, err
	}
	if slices.ContainsFunc(r.slots, (*sequence).needsPrompt) {
		err = r.computePrompts()
	} else {
		err = r.computeTokens()
	}
	return r.next < len(r.prompts) || slices.ContainsFunc(r.slots, (*sequence).live), err
}

// admit gives free slots to waiting prompts.
func (r *rollout) admit() error {
	for i, s := range r.slots {
		if s.live() || r.next == len(r.prompts) {
			continue
		}
		s = r.newSequence(r.next)
		r.next++
		if err := r.begin(i, s); err != nil {
			return err
		}
	}
	return nil
}

// newSequence begins the completion of a prompt. Where the same prompt is still
// being computed for another sequence, the new one waits for its result.
func (r *rollout) newSequence(i int) *sequence {
	p := r.prompts[i]
	s := &sequence{index: i, prompt: len(r.g.virtual) + len(p)}
	s.ids = append(make([]int32, 0, min(s.prompt+r.opt.MaxTokens, r.g.cfg.Context)), r.g.virtual...)
	s.ids = append(s.ids, p...)
	if r.g.cfg.Decode != nil {
		s.text.stream = r.g.cfg.Decode()
	}
	for _, other := range r.slots {
		if other.needsPrompt() && other.twin == nil && slices.Equal(other.ids, s.ids) {
			s.twin = other
			break
		}
	}
	return s
}

// computePrompts computes one batch of prompt tokens. A prompt is cut at
// multiples of the chunk, and a piece goes into a batch as a whole: rows that are
// computed together influence each other's last bits, so which rows those are
// must depend on the sequence alone.
func (r *rollout) computePrompts() error {
	p := r.g.prefill
	p.reset()
	r.due = r.due[:0]
	for slot, s := range r.slots {
		if !s.needsPrompt() || s.twin != nil {
			continue
		}
		n := min(r.g.cfg.Chunk, s.prompt-s.cached)
		last := s.cached+n == s.prompt
		if n > p.room() || last && p.roomForRows() == 0 {
			continue
		}
		for range n {
			p.add(s.ids[s.cached], slot, s.cached)
			s.cached++
		}
		if last {
			p.want()
			r.due = append(r.due, slot)
		}
	}
	logits, err := p.run()
	if err != nil {
		return err
	}
	return r.takeFirst(logits)
}

// takeFirst samples the first tokens of the sequences whose prompts are done,
// and of their twins.
func (r *rollout) takeFirst(logits []float32) error {
	v := r.g.prefill.vocab
	for i, from := range r.due {
		s, row := r.slots[from], logits[i*v:(i+1)*v]
		kept := r.keep(s, row)
		r.prefixes[from] = kept
		if err := r.take(from, row); err != nil {
			return err
		}
		for to, twin := range r.slots {
			if twin == nil || twin.twin != s {
				continue
			}
			if err := r.g.cache.copy(from, to, s.prompt); err != nil {
				return err
			}
			twin.twin, twin.cached = nil, s.prompt
			r.prefixes[to] = kept
			if err := r.take(to, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// computeTokens computes the newest token of every sequence, a group of slots at
// a time, and samples what follows.
func (r *rollout) computeTokens() error {
	p := r.g.decode
	for slot := 0; slot < len(r.slots); {
		p.reset()
		r.due = r.due[:0]
		for ; slot < len(r.slots) && p.room() > 0; slot++ {
			if s := r.slots[slot]; s.live() {
				p.add(s.ids[s.cached], slot, s.cached)
				p.want()
				s.cached++
				r.due = append(r.due, slot)
			}
		}
		if p.n == 0 {
			return nil
		}
		logits, err := p.run()
		if err != nil {
			return err
		}
		for i, slot := range r.due {
			if err := r.take(slot, logits[i*p.vocab:(i+1)*p.vocab]); err != nil {
				return err
			}
		}
	}
	return nil
}

// take samples the next token of a slot and frees the slot when its text ends.
func (r *rollout) take(slot int, logits []float32) error {
	s := r.slots[slot]
	made := len(s.ids) - s.prompt
	t, err := r.g.sampler.pick(logits, uint32(r.opt.First+s.index), uint64(made))
	if err != nil {
		return fmt.Errorf("%w: prompt %d, token %d", err, s.index, made)
	}
	s.ids = append(s.ids, t.ID)
	switch {
	case slices.Contains(r.stops, t.ID):
		t.Finish = FinishEOS
	case made+1 == r.opt.MaxTokens || len(s.ids) == r.g.cfg.Context:
		t.Finish = FinishLength
	}
	if s.text.stream != nil {
		s.text.add(&t, r.opt.Stop)
	}
	if t.Finish != "" {
		r.slots[slot] = nil
	}
	r.events = append(r.events, event{s.index, t})
	return nil
}

// sequence is one text in the making.
type sequence struct {
	index  int       // of its prompt
	ids    []int32   // virtual tokens, prompt and completion
	cached int       // tokens whose keys and values are in the cache
	prompt int       // tokens of the prompt, virtual ones included
	twin   *sequence // computes the same prompt; nil once that is done
	text   text
}

func (s *sequence) live() bool { return s != nil }

// needsPrompt says whether the cache lacks part of the prompt.
func (s *sequence) needsPrompt() bool { return s != nil && s.cached < s.prompt }
