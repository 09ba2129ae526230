package main

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
)

// counter counts the tokens that training on rows would see.
type counter struct {
	prepare *data.Preparer
	whole   []int
	prompts []int
	targets []int
	over    int // rows longer than -max-length
	none    int // rows without a token to learn from
}

func newCounter() (*counter, error) {
	c, err := cli.OpenModel(*model, auto.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	o := data.PrepareOptions{MaxLength: -1}
	if _, text, ok := c.Tokenizer.EOS(); ok {
		o.EOS = text
	}
	t, err := cli.Template(c, *template, nil)
	if err != nil {
		return nil, err
	}
	if t != nil {
		o.Renderer = data.ChatRenderer(t)
	}
	p, err := data.NewPreparer(c.Tokenizer, o)
	return &counter{prepare: p}, err
}

// add counts an example.
func (c *counter) add(row data.Row) error {
	e, ok, err := c.prepare.Example(row)
	if err != nil {
		return err
	}
	if !ok {
		c.none++
		return nil
	}
	c.whole, c.targets = append(c.whole, len(e.IDs)), append(c.targets, e.Targets())
	if e.Prompt > 0 {
		c.prompts = append(c.prompts, e.Prompt)
	}
	if len(e.IDs) > *maxLength {
		c.over++
	}
	return nil
}

// tokens are the lengths of examples in tokens.
type tokens struct {
	Examples data.Summary `json:"examples"`
	Prompts  data.Summary `json:"prompts"`
	Targets  data.Summary `json:"targets"`
	Over     int          `json:"over_max_length"`
	None     int          `json:"without_target"`
	Merged   int          `json:"merged"`
}

func (c *counter) report() tokens {
	return tokens{
		Examples: data.Summarize(c.whole), Prompts: data.Summarize(c.prompts), Targets: data.Summarize(c.targets),
		Over: c.over, None: c.none, Merged: c.prepare.Report().Merged,
	}
}

// String says it for people.
func (t tokens) String() string {
	s := fmt.Sprintf("tokens        %v", t.Examples)
	if t.Prompts.Count > 0 {
		s += fmt.Sprintf("\n  of prompts  %v", t.Prompts)
	}
	return s + fmt.Sprintf("\n  targets     %v\n  %d of %d over -max-length %d, %d without a target, %d with tokens across prompt and answer",
		t.Targets, t.Over, t.Examples.Count, *maxLength, t.None, t.Merged)
}
