// Inspect says what a checkpoint is and whether this library can work with it:
// configuration, parameters, the memory that fine-tuning would take, and
// self-tests of tokenizer and chat template. Its exit status is 1 when one of
// them fails.
//
//	go run ./examples/inspect -model gemma-3-270m-q4_k_m.gguf
//	go run ./examples/inspect -model qwen3 -tokens 4096 -rank 64
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
)

var (
	path       = flag.String("model", "", "Hugging Face `folder` or .gguf file; empty for the embedded tiny model")
	template   = flag.String("template", "", "test a built-in chat template instead of the model's: chatml, gemma, llama3, plain, zephyr")
	tokens     = flag.String("tokens", "512,1024,2048", "sizes of micro-batches to plan memory for, in tokens")
	rank       = flag.Int("rank", 16, "rank of the adapter to plan memory for")
	parameters = flag.Bool("parameters", false, "list every parameter")
	asJSON     = flag.Bool("json", false, "print one JSON object a line and nothing else")
)

func main() {
	cli.Run("Inspect says what a checkpoint is and whether this library can work with it.", run)
}

func run(context.Context) error {
	sizes, err := parseTokens(*tokens)
	if err != nil {
		return err
	}
	c, err := cli.OpenModel(*path, auto.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := say("start", describe(c)); err != nil {
		return err
	}
	if err := say("parameters", count(c.Model)); err != nil {
		return err
	}
	if *parameters {
		if err := list(c.Model); err != nil {
			return err
		}
	}
	plans, err := plan(c.Model, sizes, *rank)
	if err != nil {
		return err
	}
	for _, p := range plans {
		if err := say("memory", p); err != nil {
			return err
		}
	}
	return test(c)
}

// test runs the self-tests.
func test(c *auto.Checkpoint) error {
	words := testTokenizer(c)
	if err := say("tokenizer", words); err != nil {
		return err
	}
	t, err := cli.Template(c, *template, nil)
	if err != nil {
		return err
	}
	faults := words.Faults
	if t != nil {
		talk := testTemplate(c, t)
		if err := say("template", talk); err != nil {
			return err
		}
		faults = append(faults, talk.Faults...)
	}
	if err := say("result", verdict{OK: len(faults) == 0, Template: t != nil, Faults: len(faults)}); err != nil {
		return err
	}
	if len(faults) > 0 {
		return errors.New(c.Path + ": " + strings.Join(faults, "; "))
	}
	return nil
}

type verdict struct {
	OK       bool `json:"ok"`
	Template bool `json:"template"`
	Faults   int  `json:"faults"`
}

func (v verdict) String() string {
	switch {
	case !v.OK:
		return fmt.Sprintf("\n%d self-tests failed", v.Faults)
	case !v.Template:
		return "\nall self-tests passed; there is no chat template (-template names one)"
	}
	return "\nall self-tests passed"
}

func parseTokens(text string) ([]int, error) {
	var list []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 2 {
			return nil, fmt.Errorf("-tokens: got %q, want numbers of at least 2 with commas between them", text)
		}
		list = append(list, n)
	}
	if *rank < 1 {
		return nil, fmt.Errorf("-rank: got %d, want at least 1", *rank)
	}
	return list, nil
}

// list prints every parameter.
func list(m model.Model) error {
	for name, p := range m.Params() {
		if err := say("parameter", parameter{name, dtypeName(p.Dtype()), p.Shape()}); err != nil {
			return err
		}
	}
	return nil
}

// say prints an event for people, or as JSON.
func say(event string, e fmt.Stringer) error {
	if *asJSON {
		return cli.Line(event, e)
	}
	_, err := fmt.Println(e)
	return err
}
