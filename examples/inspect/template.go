package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/model/auto"
)

// conversation has two answers, so that the first one is seen with and without
// something behind it.
var conversation = []json.RawMessage{
	json.RawMessage(`{"role":"system","content":"Be brief."}`),
	json.RawMessage(`{"role":"user","content":"What is 2+2?"}`),
	json.RawMessage(`{"role":"assistant","content":"Four."}`),
	json.RawMessage(`{"role":"user","content":"And 3+3?"}`),
	json.RawMessage(`{"role":"assistant","content":"Six."}`),
}

// answers are the assistant's texts in it.
var answers = []string{"Four.", "Six."}

type talkReport struct {
	System   bool     `json:"system"` // it knows the role
	Text     string   `json:"text"`
	Tokens   int      `json:"tokens"`
	Prompt   string   `json:"generation_prompt"`
	Marked   bool     `json:"marked"`             // generation markers: assistant-only loss is exact
	Spans    []string `json:"spans,omitempty"`    // what they mark
	Unstable string   `json:"unstable,omitempty"` // earlier turns change later
	Faults   []string `json:"faults,omitempty"`
}

// testTemplate renders the conversation and looks at what training relies on.
func testTemplate(c *auto.Checkpoint, t *chat.Template) talkReport {
	r := talkReport{System: true, Marked: t.Marked()}
	in := chat.Input{Messages: conversation}
	out, err := t.Render(in)
	if err != nil { // some families have no system role
		r.System, in.Messages = false, conversation[1:]
		out, err = t.Render(in)
	}
	if err != nil {
		r.Faults = append(r.Faults, "chat template: "+err.Error())
		return r
	}
	r.Text = out.Text
	r.Tokens = len(c.Tokenizer.AppendIDs(nil, out.Text, false))
	for _, span := range out.Spans {
		r.Spans = append(r.Spans, out.Text[span[0]:span[1]])
	}
	r.check(t, in)
	return r
}

// check fills in the rest for a conversation that renders.
func (r *talkReport) check(t *chat.Template, in chat.Input) {
	fault := func(format string, args ...any) {
		r.Faults = append(r.Faults, fmt.Sprintf("chat template: "+format, args...))
	}
	for i, answer := range answers {
		if !strings.Contains(r.Text, answer) {
			fault("the answer %q is not in the text", answer)
		}
		if r.Marked && (len(r.Spans) != len(answers) || !strings.Contains(r.Spans[i], answer)) {
			fault("generation markers enclose %q, want one span with each of %q", r.Spans, answers)
			break
		}
	}
	err := t.CheckPrefixes(in)
	switch {
	case errors.Is(err, chat.ErrUnstable):
		r.Unstable = err.Error()
	case err != nil:
		fault("%v", err)
	}
	question := chat.Input{Messages: in.Messages[:len(in.Messages)-1]}
	before, err := t.Render(question)
	question.AddGenerationPrompt = true
	after, err2 := t.Render(question)
	if err := errors.Join(err, err2); err != nil {
		fault("%v", err)
		return
	}
	r.Prompt = strings.TrimPrefix(after.Text, before.Text)
}

func (r talkReport) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "\n%-12srenders a conversation of two answers as %d tokens", "template", r.Tokens)
	for line := range strings.Lines(r.Text) {
		fmt.Fprintf(&s, "\n%-12s  | %s", "", strings.TrimSuffix(line, "\n"))
	}
	if !r.System {
		fmt.Fprintf(&s, "\n%-12sit refuses the system role", "")
	}
	fmt.Fprintf(&s, "\n%-12sanswers begin with %q", "", r.Prompt)
	if r.Marked {
		fmt.Fprintf(&s, "\n%-12sgeneration markers enclose %q", "", r.Spans)
	} else {
		fmt.Fprintf(&s, "\n%-12sit has no generation markers: assistant-only loss needs another template (-template)", "")
	}
	if r.Unstable == "" {
		fmt.Fprintf(&s, "\n%-12searlier turns stay the same as the conversation grows", "")
	} else {
		fmt.Fprintf(&s, "\n%-12searlier turns change as the conversation grows: %s", "", r.Unstable)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&s, "\n%-12sFAULT: %s", "", f)
	}
	return s.String()
}
