package jinja

import (
	"fmt"
	"math"
	"strings"
)

// exec is the state of one rendering. Faults travel as panics with an *Error up
// to Render, which returns them.
type exec struct {
	t      *Template
	env    *environment
	limits Limits
	out    []byte // text of the innermost capture
	// captures counts texts that are collected rather than written: macro calls
	// inside expressions, set and filter blocks.
	captures int
	spans    [][2]int
	scope    *scope
	escape   bool // autoescape
	line     int
	steps    int // left
	bytes    int // left
	depth    int
}

// scope holds variables. The outermost one has a slot for each name of the
// template; inner ones are short lists.
type scope struct {
	parent *scope
	ids    []int
	values []Value
}

// lookup finds a variable; nil is one that is undefined.
func (x *exec) lookup(id int) Value {
	s := x.scope
	for n := 0; s.parent != nil; s = s.parent {
		if n += len(s.ids); n > manyNames {
			x.step(n / manyNames)
			n = 0
		}
		for i := len(s.ids) - 1; i >= 0; i-- {
			if s.ids[i] == id {
				return s.values[i]
			}
		}
	}
	return s.values[id]
}

// manyNames is the number of names that one step looks through.
const manyNames = 32

// set makes or changes a variable of the current scope.
func (x *exec) set(id int, v Value) {
	s := x.scope
	x.step(len(s.ids) / manyNames)
	if s.parent == nil {
		s.values[id] = v
		return
	}
	for i, have := range s.ids {
		if have == id {
			s.values[i] = v
			return
		}
	}
	s.ids, s.values = append(s.ids, id), append(s.values, v)
}

// push opens a scope for a frame inside parent and returns the one to go back to.
// Names that are undefined at first hide those around them.
func (x *exec) push(parent *scope, f *frame) *scope {
	old := x.scope
	x.container(len(f.refs))
	x.scope = &scope{parent: parent}
	if n := len(f.fresh); n > 0 {
		x.scope.ids = append(make([]int, 0, len(f.refs)), f.fresh...)
		x.scope.values = make([]Value, n, len(f.refs))
	}
	return old
}

// fail stops the rendering with what Python would raise.
func (x *exec) fail(format string, args ...any) {
	panic(&Error{Template: x.t.name, Line: x.line, Message: clip(fmt.Sprintf(format, args...)), Kind: ErrValue})
}

// clip shortens messages: they may quote text of any length.
func clip(s string) string {
	const most = 2000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func (x *exec) limit(format string, args ...any) {
	panic(&Error{Template: x.t.name, Line: x.line, Message: fmt.Sprintf(format, args...), Kind: ErrLimit})
}

// step pays for n operations.
func (x *exec) step(n int) {
	if x.steps -= n; x.steps < 0 || n < 0 {
		x.limit("more than %d steps", x.limits.Steps)
	}
}

// bytesPerStep is how much text one step makes or looks at.
const bytesPerStep = 64

// work pays for looking at or copying n bytes of text.
func (x *exec) work(n int) { x.step(n/bytesPerStep + 1) }

// room pays for a text of n bytes before it is made.
func (x *exec) room(n int) {
	if n < 0 || n > x.limits.OutputBytes {
		x.limit("a text of more than %d bytes", x.limits.OutputBytes)
	}
	x.work(n)
	x.made(n)
}

// made pays for n bytes of memory.
func (x *exec) made(n int) {
	if x.bytes -= n; x.bytes < 0 || n < 0 {
		x.limit("more than %d bytes made", x.limits.Bytes)
	}
}

// Sizes of values in memory, roughly.
const (
	headerBytes = 64  // of a list, dict or scope
	itemBytes   = 32  // of a value in a list
	entryBytes  = 160 // of a dict's entry
)

// container pays for a list of n items.
func (x *exec) container(n int) {
	x.step(n)
	x.made(headerBytes + itemBytes*n)
}

// repeat pays for n copies of size bytes.
func (x *exec) repeat(n, size int) {
	if size > 0 && n > math.MaxInt/size {
		x.limit("a text of more than %d bytes", x.limits.OutputBytes)
	}
	x.room(n * size)
}

// nest counts a level of evaluation; unnest takes it back.
func (x *exec) nest() {
	if x.depth++; x.depth > x.limits.Depth {
		x.limit("evaluation nests deeper than %d", x.limits.Depth)
	}
	x.step(1)
}

func (x *exec) unnest() { x.depth-- }

// write appends text to the output.
func (x *exec) write(s string) {
	if len(x.out)+len(s) > x.limits.OutputBytes {
		x.limit("a text of more than %d bytes", x.limits.OutputBytes)
	}
	x.work(len(s))
	x.made(len(s))
	x.out = append(x.out, s...)
}

// capture runs body and returns the text it wrote.
func (x *exec) capture(body func()) string {
	outer := x.out
	x.out = nil
	x.captures++
	body()
	x.captures--
	s := string(x.out)
	x.out = outer
	return s
}

// captured is capture with the text as a value: Markup under autoescape.
func (x *exec) capturedValue(body func()) Value {
	s := x.capture(body)
	if x.escape {
		return markup(s)
	}
	return str(s)
}

// missing makes an undefined value; format and args say why.
func missing(format string, args ...any) *undefined {
	return &undefined{reason: func() string { return fmt.Sprintf(format, args...) }}
}

// refuse fails because of a use of an undefined value.
func (x *exec) refuse(u *undefined) {
	if u.unsafe {
		x.fail("SecurityError: %s", u.reason())
	}
	x.fail("UndefinedError: %s", u.reason())
}
