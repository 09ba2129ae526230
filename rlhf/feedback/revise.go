package feedback

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/kernel"
)

// Principle asks for a critique and for a revision that follows it.
type Principle struct {
	Name     string `json:"name"`
	Critique string `json:"critique"` // "Say what is wrong with the answer, step by step."
	Revision string `json:"revision"` // "Rewrite the answer without what is wrong."
}

// Question is a prompt to draft an answer to.
type Question struct {
	Prompt string
	Draft  string // an answer that is there already; "" lets the writer draft one
	At     data.Place
}

// Step is a critique and what it led to.
type Step struct {
	Principle string
	Critique  string // "" with ReviseOptions.Direct
	Revision  string // "" when the writer wrote nothing: the answer stays
}

// Revised is a question with its draft and all revisions.
type Revised struct {
	Question
	Steps []Step
}

// Final is the last revision that says anything, else the draft.
func (r Revised) Final() string {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if r.Steps[i].Revision != "" {
			return r.Steps[i].Revision
		}
	}
	return r.Draft
}

// Row teaches the final revision.
func (r Revised) Row() data.Row {
	return data.Row{Shape: data.ShapePromptCompletion, Prompt: r.Prompt, Completion: r.Final(), At: r.At}
}

// Pair prefers the final revision to the draft; ok is false where they are the same.
func (r Revised) Pair() (row data.PairRow, ok bool) {
	row = data.PairRow{At: r.At, Prompt: r.Prompt, Chosen: r.Final(), Rejected: r.Draft}
	return row, strings.TrimSpace(row.Chosen) != strings.TrimSpace(row.Rejected)
}

// ReviseOptions control Revise.
type ReviseOptions struct {
	// Principles, of which one is drawn for each question and round; required.
	Principles []Principle
	// Rounds of critique and revision; 0 means 1. The paper has 4.
	Rounds int
	// Direct revises without a critique before (Bai et al. 2022, §3.5).
	Direct bool
	// Critic writes critiques and Reviser revisions; nil is the writer of the drafts.
	Critic, Reviser Writer
	// AskCritique and AskRevision write the requests up; nil means plain English. With
	// Direct the critique is "".
	AskCritique func(prompt, answer string, p Principle) string
	AskRevision func(prompt, answer, critique string, p Principle) string
	Seed        uint64
}

// Validate reports all faulty options.
func (o ReviseOptions) Validate() error {
	var faults []error
	if len(o.Principles) == 0 {
		faults = append(faults, errors.New("feedback: ReviseOptions.Principles: got none, want at least one"))
	}
	for i, p := range o.Principles {
		if p.Revision == "" || p.Critique == "" && !o.Direct {
			faults = append(faults, fmt.Errorf("feedback: ReviseOptions.Principles[%d]: got no request for a critique or a revision, want both", i))
		}
	}
	if o.Rounds < 0 {
		faults = append(faults, fmt.Errorf("feedback: ReviseOptions.Rounds: got %d, want at least 1, or 0 for 1", o.Rounds))
	}
	return errors.Join(faults...)
}

// withDefaults fills in what was left out.
func (o ReviseOptions) withDefaults(w Writer) ReviseOptions {
	if o.Rounds == 0 {
		o.Rounds = 1
	}
	if o.Critic == nil {
		o.Critic = w
	}
	if o.Reviser == nil {
		o.Reviser = w
	}
	if o.AskCritique == nil {
		o.AskCritique = func(prompt, answer string, p Principle) string {
			return fmt.Sprintf("%s\n\nAnswer: %s\n\nCritique request: %s\n\nCritique:", prompt, answer, p.Critique)
		}
	}
	if o.AskRevision == nil {
		o.AskRevision = func(prompt, answer, critique string, p Principle) string {
			s := fmt.Sprintf("%s\n\nAnswer: %s\n\n", prompt, answer)
			if critique != "" {
				s += fmt.Sprintf("Critique request: %s\n\nCritique: %s\n\n", p.Critique, critique)
			}
			return s + fmt.Sprintf("Revision request: %s\n\nRevision:", p.Revision)
		}
	}
	return o
}

// Revise drafts an answer to each question and lets it be criticised and revised.
// Texts lose the space around them. (Bai et al. 2022, arXiv:2212.08073, §3.1.)
func Revise(ctx context.Context, w Writer, questions []Question, o ReviseOptions) ([]Revised, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if w == nil {
		return nil, errors.New("feedback: Revise: got no writer, want one")
	}
	o = o.withDefaults(w)
	list := make([]Revised, len(questions))
	for i, q := range questions {
		list[i].Question = q
	}
	if err := draft(ctx, w, list, o.Seed); err != nil {
		return nil, err
	}
	for round := range o.Rounds {
		if err := o.round(ctx, list, round); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// draft writes the answers that are not there.
func draft(ctx context.Context, w Writer, list []Revised, seed uint64) error {
	var prompts []string
	var at []int
	for i := range list {
		if list[i].Draft == "" {
			prompts, at = append(prompts, list[i].Prompt), append(at, i)
		}
	}
	texts, err := write(ctx, w, "draft", prompts, turn(seed, 0, 0))
	for k, i := range at {
		if err == nil {
			list[i].Draft = texts[k]
		}
	}
	return err
}

// round criticises and revises every answer once.
func (o *ReviseOptions) round(ctx context.Context, list []Revised, round int) error {
	principles, critiques := make([]Principle, len(list)), make([]string, len(list))
	requests := make([]string, len(list))
	for i := range list {
		principles[i] = draw(o.Principles, o.Seed, i, round)
		requests[i] = o.AskCritique(list[i].Prompt, list[i].Final(), principles[i])
	}
	var err error
	if !o.Direct {
		if critiques, err = write(ctx, o.Critic, "critique", requests, turn(o.Seed, round+1, 1)); err != nil {
			return err
		}
	}
	for i := range list {
		requests[i] = o.AskRevision(list[i].Prompt, list[i].Final(), critiques[i], principles[i])
	}
	revisions, err := write(ctx, o.Reviser, "revision", requests, turn(o.Seed, round+1, 2))
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Steps = append(list[i].Steps, Step{principles[i].Name, critiques[i], revisions[i]})
	}
	return nil
}

// write asks a writer and checks its answers.
func write(ctx context.Context, w Writer, what string, prompts []string, seed uint64) ([]string, error) {
	if len(prompts) == 0 {
		return nil, ctx.Err()
	}
	texts, err := w.Write(ctx, prompts, seed)
	if err != nil {
		return nil, fmt.Errorf("feedback: %s: %w", what, err)
	}
	if len(texts) != len(prompts) {
		return nil, fmt.Errorf("feedback: %s: got %d texts, want one for each of %d prompts", what, len(texts), len(prompts))
	}
	for i := range texts {
		texts[i] = strings.TrimSpace(texts[i])
	}
	return texts, nil
}

// turnPurpose keys the seeds of writing.
const turnPurpose = 0x57524954

// turn is a seed of its own for every kind of text of every round.
func turn(seed uint64, round, kind int) uint64 {
	w := kernel.Philox(seed, [4]uint32{uint32(round), uint32(kind), 0, turnPurpose})
	return uint64(w[0])<<32 | uint64(w[1])
}
