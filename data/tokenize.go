package data

import (
	"errors"
	"slices"
	"strings"
)

// tokenize fills IDs, Roles, Mask and Prompt of e.
func (p *Preparer) tokenize(row Row, e *Example) error {
	switch {
	case row.Messages != nil:
		return p.conversation(row, e)
	case row.PromptMessages != nil:
		return p.chatCompletion(row, e)
	}
	if p.opts.Loss == LossAssistant {
		return &Error{At: row.At, Got: row.Shape.String(), Want: "conversations for LossAssistant"}
	}
	if row.Shape == ShapeText || row.Shape == 0 && row.Text != "" {
		if p.opts.Loss == LossCompletion {
			return p.noPrompt(row)
		}
		e.IDs = p.enc.AppendIDs(e.IDs, p.withEOS(row.Text), true)
		fill(e, 0, true)
		return nil
	}
	p.prompt = p.enc.AppendIDs(p.prompt[:0], row.Prompt, true)
	e.IDs = p.enc.AppendIDs(e.IDs, row.Prompt+p.withEOS(row.Completion), true)
	e.Prompt = p.boundary(row, e.IDs)
	fill(e, e.Prompt, p.opts.Loss == LossAll)
	return nil
}

func (p *Preparer) noPrompt(row Row) error {
	return &Error{At: row.At, Got: row.Shape.String(), Want: "prompt and completion for LossCompletion"}
}

// boundary returns the longest common prefix of the prompt's ids and ids.
func (p *Preparer) boundary(row Row, ids []int32) int {
	n := 0
	for n < min(len(p.prompt), len(ids)) && p.prompt[n] == ids[n] {
		n++
	}
	if n < len(p.prompt) {
		count(&p.report.Merged, &p.report.FirstMerged, row.At)
	}
	return n
}

// fill sets roles and mask: the tokens from prompt on are the answer and
// targets, those before are context, and targets too when all is true.
func fill(e *Example, prompt int, all bool) {
	for i := range e.IDs {
		role := RoleContext
		if i >= prompt {
			role = RoleAnswer
		}
		e.Roles = append(e.Roles, role)
		e.Mask = append(e.Mask, all || i >= prompt)
	}
}

// conversation tokenises a row of messages.
func (p *Preparer) conversation(row Row, e *Example) error {
	if p.opts.Loss == LossCompletion {
		return p.noPrompt(row)
	}
	r, err := p.render(row, row.Messages, false)
	if err != nil {
		return err
	}
	spans, err := p.encodeSpans(row, r, row.Messages, e)
	if err != nil {
		return err
	}
	for i := range e.IDs {
		in := spans && p.inside(r.Spans, i)
		role := RoleContext
		if in {
			role = RoleAnswer
		}
		e.Roles = append(e.Roles, role)
		e.Mask = append(e.Mask, in || p.opts.Loss != LossAssistant)
	}
	return nil
}

// chatCompletion tokenises a row whose prompt and completion are messages.
func (p *Preparer) chatCompletion(row Row, e *Example) error {
	prompt, err := p.render(row, row.PromptMessages, true)
	if err != nil {
		return err
	}
	all := slices.Concat(row.PromptMessages, row.CompletionMessages)
	whole, err := p.render(row, all, false)
	if err != nil {
		return err
	}
	if _, err := p.encodeSpans(row, whole, all, e); err != nil {
		return err
	}
	p.prompt = p.enc.AppendIDs(p.prompt[:0], prompt.Text, false)
	e.Prompt = p.boundary(row, e.IDs)
	fill(e, e.Prompt, p.opts.Loss == LossAll)
	if p.opts.Loss == LossAssistant {
		for i := range e.Mask {
			e.Mask[i] = e.Mask[i] && p.inside(whole.Spans, i)
		}
	}
	return nil
}

// encodeSpans tokenises r with offsets where they are of use and makes sure
// that r has spans where they are needed.
func (p *Preparer) encodeSpans(row Row, r *Rendered, messages []Message, e *Example) (bool, error) {
	if p.opts.Loss == LossAssistant && !r.Marked {
		if err := p.spansByPrefix(row, r, messages); err != nil {
			return false, err
		}
	}
	if n := len(r.Spans); n > 0 && p.opts.Loss == LossAssistant && p.opts.EOS != "" && strings.HasPrefix(r.Text[r.Spans[n-1][1]:], p.opts.EOS) {
		count(&p.report.Unstopped, &p.report.FirstUnstopped, row.At)
	}
	if p.offsets == nil || len(r.Spans) == 0 {
		e.IDs = p.enc.AppendIDs(e.IDs, r.Text, false)
		p.ranges = p.ranges[:0]
		return false, nil
	}
	e.IDs, p.ranges = p.offsets.AppendOffsets(e.IDs, p.ranges[:0], r.Text, false)
	if len(p.ranges) != len(e.IDs) {
		return false, &Error{At: row.At, Got: "offsets of another number of tokens", Want: "one offset a token", Err: errors.New("broken OffsetEncoder")}
	}
	return true, nil
}

// inside reports whether token i has a byte inside one of the spans. Like the
// prompt's boundary, a token that joins bytes of both sides counts as the
// model's own.
func (p *Preparer) inside(spans [][2]int, i int) bool {
	if i >= len(p.ranges) {
		return false
	}
	at := p.ranges[i]
	if at[0] == at[1] {
		return false
	}
	_, ok := slices.BinarySearchFunc(spans, at, func(span, at [2]int) int {
		switch {
		case span[1] <= at[0]:
			return -1
		case span[0] >= at[1]:
			return 1
		}
		return 0
	})
	return ok
}
