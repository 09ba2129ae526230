package generate

import (
	"slices"
	"strings"
)

// sequence is one text in the making.
type sequence struct {
	index   int     // of its prompt
	ids     []int32 // prompt and completion
	cached  int     // tokens whose keys and values are in the cache
	prompt  int
	stream  Stream
	text    string // decoded completion
	shown   int    // bytes of text already handed out
	sampler sampler
}

// rollout decodes a list of prompts over the slots of the cache.
type rollout struct {
	g       *Generator
	opt     Options
	prompts [][]int32
	next    int
	slots   []*sequence
	stops   []int32
	events  []event
	ready   []int // slots whose next token is due in this step
}

// admit gives free slots to waiting prompts.
func (r *rollout) admit() {
	for i, s := range r.slots {
		if s != nil || r.next == len(r.prompts) {
			continue
		}
		p := r.prompts[r.next]
		s = &sequence{index: r.next, ids: slices.Clone(p), prompt: len(p), sampler: sampler{opt: r.opt}}
		if r.g.cfg.Decode != nil {
			s.stream = r.g.cfg.Decode.NewStream()
		}
		r.slots[i] = s
		r.next++
	}
}

func (r *rollout) busy() bool {
	return slices.ContainsFunc(r.slots, func(s *sequence) bool { return s != nil })
}

// advance computes one batch: the rest of the prompts, as far as the chunk goes,
// and one token of every other sequence.
func (r *rollout) advance() error {
	b := &r.g.step.batch
	b.reset()
	r.ready, r.events = r.ready[:0], r.events[:0]
	for slot, s := range r.slots {
		if s == nil {
			continue
		}
		room := r.g.step.capacity - len(b.tokens)
		n := min(len(s.ids)-s.cached, room)
		for k := s.cached; k < s.cached+n; k++ {
			b.add(s.ids[k], slot, k)
		}
		s.cached += n
		if n > 0 && s.cached == len(s.ids) {
			b.rows = append(b.rows, int32(len(b.tokens)-1))
			r.ready = append(r.ready, slot)
		}
	}
	logits, err := r.g.step.run()
	if err != nil {
		return err
	}
	v := r.g.model.Config().VocabSize
	for i, slot := range r.ready {
		r.take(slot, logits[i*v:(i+1)*v])
	}
	return nil
}

// take samples the next token of a slot and frees the slot when its text ends.
func (r *rollout) take(slot int, logits []float32) {
	s := r.slots[slot]
	t := s.sampler.pick(logits, s.index, len(s.ids)-s.prompt)
	s.ids = append(s.ids, t.ID)
	made := len(s.ids) - s.prompt
	switch {
	case slices.Contains(r.stops, t.ID):
		t.Finish = FinishEOS
	case made >= r.opt.MaxTokens || len(s.ids) >= r.g.cfg.Context:
		t.Finish = FinishLength
	}
	if s.stream != nil {
		s.decode(&t, r.opt.Stop)
	}
	if t.Finish != "" {
		r.slots[slot] = nil
	}
	r.events = append(r.events, event{s.index, t})
}

// decode adds the token's text and applies the stop strings. Text that could be
// the beginning of a stop string is held back until that is settled.
func (s *sequence) decode(t *Token, stops []string) {
	if t.Finish != FinishEOS {
		s.text += s.stream.Add(t.ID)
	}
	end := len(s.text)
	if t.Finish != "" {
		s.text += s.stream.Flush()
		end = len(s.text)
	}
	cut := -1
	for _, stop := range stops {
		from := max(s.shown-len(stop), 0)
		if at := strings.Index(s.text[from:], stop); at >= 0 && (cut < 0 || from+at < cut) {
			cut = from + at
		}
	}
	switch {
	case cut >= 0:
		t.Finish, end = FinishStop, max(cut, s.shown)
	case t.Finish == "":
		end -= heldBack(s.text[s.shown:], stops)
	}
	t.Text = s.text[s.shown:end]
	s.shown = end
}

// heldBack is the length of the longest end of text that begins a stop string.
func heldBack(text string, stops []string) int {
	held := 0
	for _, stop := range stops {
		for n := min(len(stop)-1, len(text)); n > held; n-- {
			if strings.HasSuffix(text, stop[:n]) {
				held = n
				break
			}
		}
	}
	return held
}
