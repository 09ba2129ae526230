package jinja

import "slices"

// frame is a part of a template with variables of its own: the template, the body
// of a loop, a macro and so on. Jinja decides before it runs where each name of a
// frame comes from; one decision shows: a name that a frame sets, that it did not
// read before and that no frame around it knows, is undefined until it is set,
// also for frames inside, even if the template was given a variable of that name.
// (Jinja 3.1, idtracking.py.)
type frame struct {
	parent   *frame
	children []*frame
	events   []event
	refs     map[int]origin
	fresh    []int // names that are undefined at first
}

// event is a use of a name in the order in which Jinja looks at them, or an if
// with its three parts.
type event struct {
	kind     eventKind
	id       int
	branches [3][]event // body, elifs, else
}

type eventKind uint8

const (
	eventLoad eventKind = iota
	eventStore
	eventParam
	eventIf
)

// origin says what a name is when its frame is entered.
type origin uint8

const (
	fromOutside origin = iota
	fromCaller
	undefinedAtFirst
)

// collect runs parse and returns the events it notes.
func (p *parser) collect(parse func()) []event {
	var events []event
	sink := p.events
	p.events = &events
	parse()
	p.events = sink
	return events
}

// note adds an event to the current frame.
func (p *parser) note(kind eventKind, id int) {
	*p.events = append(*p.events, event{kind: kind, id: id})
}

// resolve decides for f and the frames inside it.
func (f *frame) resolve() {
	s := symbols{frame: f, stores: map[int]bool{}}
	f.refs = map[int]origin{}
	s.visit(f.events)
	for id, from := range f.refs {
		if from == undefinedAtFirst {
			f.fresh = append(f.fresh, id)
		}
	}
	slices.Sort(f.fresh)
	for _, c := range f.children {
		c.resolve()
	}
	f.events, f.children = nil, nil
}

// outside reports whether a frame around f knows a name.
func (f *frame) outside(id int) bool {
	for p := f.parent; p != nil; p = p.parent {
		if _, ok := p.refs[id]; ok {
			return true
		}
	}
	return false
}

// symbols walks over the events of a frame. Its logs allow to take back what one
// part of an if added before the next one is looked at.
type symbols struct {
	frame  *frame
	stores map[int]bool
	added  []int // to frame.refs, in order
	stored []int // in stores, in order
}

func (s *symbols) visit(events []event) {
	for _, e := range events {
		switch e.kind {
		case eventIf:
			s.join(e.branches)
		case eventParam:
			s.store(e.id)
			s.frame.refs[e.id] = fromCaller
		case eventLoad:
			if !s.frame.outside(e.id) {
				s.add(e.id, fromOutside)
			}
		case eventStore:
			s.store(e.id)
			if s.frame.outside(e.id) {
				s.add(e.id, fromOutside)
			} else {
				s.add(e.id, undefinedAtFirst)
			}
		}
	}
}

// add notes where a name comes from if that is not known yet.
func (s *symbols) add(id int, from origin) {
	if _, ok := s.frame.refs[id]; !ok {
		s.frame.refs[id] = from
		s.added = append(s.added, id)
	}
}

func (s *symbols) store(id int) {
	if !s.stores[id] {
		s.stores[id] = true
		s.stored = append(s.stored, id)
	}
}

// join visits the parts of an if, each from the same state. A name that some part
// sets comes from outside, as other parts may leave it alone.
func (s *symbols) join(branches [3][]event) {
	var added, stored []int
	for _, b := range branches {
		a, n := len(s.added), len(s.stored)
		s.visit(b)
		for _, id := range s.added[a:] {
			delete(s.frame.refs, id)
		}
		for _, id := range s.stored[n:] {
			delete(s.stores, id)
		}
		added, stored = append(added, s.added[a:]...), append(stored, s.stored[n:]...)
		s.added, s.stored = s.added[:a], s.stored[:n]
	}
	for _, id := range stored {
		s.store(id)
	}
	for _, id := range added {
		s.add(id, fromOutside)
	}
}
