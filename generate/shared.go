package generate

import "slices"

// prefix is a prompt that has been computed and that further sequences wait for.
// Its keys and values lie at the beginning of a slot until a sequence with another
// prompt begins there.
type prefix struct {
	ids    []int32   // virtual tokens included
	logits []float32 // (V) after its last token
}

// waiting says whether a prompt waits for a slot that begins with these ids and
// has no more of them.
func (r *rollout) waiting(ids []int32) bool {
	ids = ids[len(r.g.virtual):]
	return slices.ContainsFunc(r.prompts[r.next:], func(p []int32) bool { return slices.Equal(p, ids) })
}

// keep remembers a computed prompt where others wait for it.
func (r *rollout) keep(s *sequence, logits []float32) *prefix {
	ids := s.ids[:s.prompt]
	if !r.waiting(ids) {
		return nil
	}
	return &prefix{ids: slices.Clone(ids), logits: slices.Clone(logits)}
}

// begin gives a free slot to a sequence. Where its prompt lies in a slot already, it
// is copied instead of computed, and the first token sampled at once.
func (r *rollout) begin(slot int, s *sequence) error {
	r.slots[slot] = s
	from := slices.IndexFunc(r.prefixes, func(p *prefix) bool { return p != nil && slices.Equal(p.ids, s.ids) })
	if from < 0 {
		r.prefixes[slot] = nil
		return nil
	}
	p := r.prefixes[from]
	if from != slot {
		if err := r.g.cache.copy(from, slot, s.prompt); err != nil {
			return err
		}
	}
	s.twin, s.cached = nil, s.prompt
	r.prefixes[slot] = p
	if !r.waiting(p.ids) {
		for i := range r.prefixes {
			if r.prefixes[i] == p {
				r.prefixes[i] = nil
			}
		}
	}
	return r.take(slot, p.logits)
}
