package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// match is a part of a text that a pattern matches (hit) or leaves out.
type match struct {
	start, end int
	hit        bool
}

// pattern cuts a text into what matches and what lies between.
type pattern interface {
	// find appends matches that cover text in order.
	find(w *worker, text string, dst []match) []match
}

// Limits of patterns that come from files.
const (
	maxPattern   = 1 << 14 // bytes
	maxBacktrack = 1 << 20 // slots of the engine's stack
	matchTimeout = 2 * time.Second
)

// parsePattern reads {"String": …} or {"Regex": …}. literal is the string of the
// first form.
func parsePattern(raw json.RawMessage, f *faults) (p pattern, literal string, err error) {
	var fields struct{ String, Regex *string }
	if err := decode(raw, &fields); err != nil {
		return nil, "", fmt.Errorf("pattern: %w", err)
	}
	switch {
	case fields.String != nil:
		return literalPattern(*fields.String), *fields.String, nil
	case fields.Regex == nil:
		return nil, "", fmt.Errorf("pattern: got %.60q, want a String or a Regex", raw)
	}
	p, err = newRegex(*fields.Regex, f)
	return p, "", err
}

// knownScanner is the scanner of a pattern that matches every character.
func knownScanner(expr string) scanner {
	switch expr {
	case patternGPT2:
		return scanGPT2
	case patternLlama3:
		return scanLlama3
	case patternQwen:
		return scanQwen
	case patternO200k:
		return scanO200k
	case patternTekken:
		return scanTekken
	}
	return nil
}

// literalPattern matches a string; the empty one matches nothing.
type literalPattern string

func (p literalPattern) find(_ *worker, text string, dst []match) []match {
	start := 0
	for p != "" {
		i := strings.Index(text[start:], string(p))
		if i < 0 {
			break
		}
		i += start
		dst = gap(dst, start, i)
		start = i + len(p)
		dst = append(dst, match{i, start, true})
	}
	return gap(dst, start, len(text))
}

// gap appends what lies between two matches.
func gap(dst []match, start, end int) []match {
	if start < end {
		dst = append(dst, match{start, end, false})
	}
	return dst
}

// find makes a scanner a pattern.
func (s scanner) find(_ *worker, text string, dst []match) []match {
	for i := 0; i < len(text); {
		end := s(text, i)
		dst = append(dst, match{i, end, true})
		i = end
	}
	return dst
}

// flagged matches each single character whose class has one of the flags, or the
// category of spaces.
type flagged struct {
	flags class
	set   set
}

func (p flagged) find(_ *worker, text string, dst []match) []match {
	start := 0
	for i := 0; i < len(text); {
		c, n := at(text, i)
		if c&p.flags != 0 || p.set.has(c) {
			dst = append(gap(dst, start, i), match{i, i + n, true})
			start = i + n
		}
		i += n
	}
	return gap(dst, start, len(text))
}

// faults remembers the first pattern that passed its limits.
type faults struct{ first atomic.Pointer[error] }

func (f *faults) add(err error) { f.first.CompareAndSwap(nil, &err) }

// regex is a pattern for the engine of regexp2.
type regex struct {
	expr   string
	engine *regexp2.Regexp
	faults *faults
	dead   atomic.Bool // it passed a limit: now it matches nothing
}

func newRegex(expr string, f *faults) (pattern, error) {
	if s := knownScanner(expr); s != nil {
		return s, nil
	}
	if expr == patternCLIP {
		return clipWords{}, nil
	}
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("pattern: got %d bytes, want at most %d", len(expr), maxPattern)
	}
	engine, err := regexp2.Compile(translate(expr), regexp2.OptionMaxBacktrackingStackSize(maxBacktrack))
	if err != nil {
		return nil, fmt.Errorf("pattern %.60q: %w", expr, err)
	}
	engine.MatchTimeout = matchTimeout
	return &regex{expr: expr, engine: engine, faults: f}, nil
}

// wordClass is Oniguruma's \w, which is wider than regexp2's: letter numbers,
// circled letters and, as in Latin-1, superscripts and fractions are in it.
const wordClass = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}²³¹¼-¾Ⓐ-ⓩ🄰-🅉🅐-🅩🅰-🆉`

// translate puts the character classes of Oniguruma that regexp2 has not, or has
// otherwise, into a pattern.
func translate(expr string) string {
	var b strings.Builder
	inside := 0 // character classes nest
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		if c != '\\' || i+1 == len(expr) {
			switch {
			case c == '[':
				inside++
			case c == ']' && inside > 0:
				inside--
			}
			b.WriteByte(c)
			continue
		}
		i++
		class := ""
		switch expr[i] {
		case 'w':
			class = wordClass
		case 'W':
			class = "^" + wordClass
		case 'h':
			class = "0-9A-Fa-f"
		}
		switch {
		case class != "" && inside == 0:
			b.WriteString("[" + class + "]")
		case class != "" && class[0] != '^':
			b.WriteString(class)
		default:
			b.WriteByte('\\')
			b.WriteByte(expr[i])
		}
	}
	return b.String()
}

func (p *regex) find(w *worker, text string, dst []match) []match {
	if p.dead.Load() {
		return gap(dst, 0, len(text))
	}
	w.runes = w.runes[:0]
	for _, r := range text {
		w.runes = append(w.runes, r)
	}
	var (
		prev, last = 0, -1 // end of the last match, and -1 before the first
		runes, off int     // the same place in runes and in bytes
	)
	advance := func(to int) int {
		for ; runes < to; runes++ {
			_, n := utf8.DecodeRuneInString(text[off:])
			off += n
		}
		return off
	}
	err := p.engine.FindRunesMatches(w.runes, 0, func(v regexp2.MatchView) bool {
		at, n, ok := v.GroupRange(0)
		if !ok {
			return true
		}
		start := advance(at)
		end := advance(at + n)
		if start == end && start == last {
			return true // Oniguruma gives no empty match behind another match
		}
		dst = append(gap(dst, prev, start), match{start, end, true})
		prev, last = end, end
		return true
	})
	if err != nil {
		p.dead.Store(true)
		p.faults.add(fmt.Errorf("tokenizer: pattern %.60q: %w", p.expr, errors.Join(ErrLimit, err)))
	}
	return gap(dst, prev, len(text))
}
