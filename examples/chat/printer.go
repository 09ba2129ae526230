package main

import (
	"fmt"
	"os"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
)

// reply is an answer and its numbers.
type reply struct {
	Prompt       string  `json:"prompt"`
	Text         string  `json:"text"`
	Finish       string  `json:"finish"` // eos, length or interrupted
	PromptTokens int     `json:"prompt_tokens"`
	Tokens       int     `json:"tokens"`
	LogProb      float64 `json:"logprob"` // of all tokens, nats
	Seconds      float64 `json:"seconds"`
}

func (r *reply) add(t generate.Token) {
	r.Text += t.Text
	r.Tokens++
	r.LogProb += t.LogProb
	if t.Finish != "" {
		r.Finish = string(t.Finish)
	}
}

// printer shows the chat to a person, or as JSON lines to a program.
type printer struct {
	json            bool
	marks           bool // a person types: show where
	answers, tokens int
	seconds         float64
}

func (p *printer) start(c *auto.Checkpoint, g *generate.Generator, chats bool) {
	if p.json {
		_ = cli.Line("start", map[string]any{"model": c.Path, "model_type": c.Model.Config().ModelType, "context": g.Context(), "template": chats, "options": options})
		return
	}
	if info, err := os.Stdin.Stat(); err == nil && *prompt == "" {
		p.marks = info.Mode()&os.ModeCharDevice != 0
	}
	if !p.marks {
		return
	}
	fmt.Printf("%s. Ctrl-C stops an answer, Ctrl-D ends.\n", c.Path)
	if !chats {
		fmt.Println("No chat template: each line is continued by itself. Try 47+38= with the embedded model.")
	}
}

// ask shows that it is the person's turn.
func (p *printer) ask() {
	if p.marks {
		fmt.Print("> ")
	}
}

// token shows a piece of an answer.
func (p *printer) token(t generate.Token) {
	if !p.json {
		fmt.Print(t.Text)
		return
	}
	_ = cli.Line("token", map[string]any{"id": t.ID, "text": t.Text, "logprob": t.LogProb})
}

// answer ends an answer.
func (p *printer) answer(r *reply) error {
	p.answers++
	p.tokens += r.Tokens
	p.seconds += r.Seconds
	if p.json {
		return cli.Line("answer", r)
	}
	if r.Finish == "interrupted" || r.Finish == string(generate.FinishLength) {
		fmt.Print(" …")
	}
	_, err := fmt.Println()
	return err
}

// end says goodbye.
func (p *printer) end() {
	if p.json {
		_ = cli.Line("result", map[string]any{"answers": p.answers, "tokens": p.tokens, "seconds": p.seconds})
	} else if p.marks {
		fmt.Println()
	}
}
