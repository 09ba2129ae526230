// Chat talks with a language model in the terminal; answers appear as they are
// made. Ctrl-C stops an answer, the end of the input (Ctrl-D) ends the chat.
//
//	go run ./examples/chat -model gemma-3-270m-it.gguf -temperature 0.7 -top-p 0.9
//	go run ./examples/chat -prompt 47+38=
//
// Without -model it is the embedded tiny model, which adds numbers of two digits.
// A model without a chat template, and without -template, continues each line by
// itself.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
)

var (
	path     = flag.String("model", "", "Hugging Face `folder` or .gguf file; empty for the embedded tiny model")
	adapter  = flag.String("adapter", "", "PEFT `folder` of an adapter")
	template = flag.String("template", "", "chat template instead of the model's: chatml, gemma, llama3, plain, zephyr")
	system   = flag.String("system", "", "what the model is told before the conversation")
	prompt   = flag.String("prompt", "", "answer this and end")
	size     = flag.Int("context", 0, "tokens of conversation and answer together; 0 for 2048 or the model's limit")
	threads  = flag.Int("threads", 0, "cores to use; 0 for all")
	asJSON   = flag.Bool("json", false, "print one JSON object a line and nothing else")

	options generate.Options
)

func main() {
	flag.Float64Var(&options.Temperature, "temperature", 0, "0 takes the likeliest token; 1 samples as the model says")
	flag.IntVar(&options.TopK, "top-k", 0, "sample from so many likeliest tokens; 0 for all")
	flag.Float64Var(&options.TopP, "top-p", 0, "sample from the likeliest tokens with this mass; 0 for all")
	flag.Float64Var(&options.MinP, "min-p", 0, "sample from tokens with this share of the likeliest one's probability; 0 for all")
	flag.IntVar(&options.MaxTokens, "max-tokens", 256, "tokens of an answer at most")
	flag.Uint64Var(&options.Seed, "seed", 42, "of sampling")
	cli.Parse("Chat talks with a language model in the terminal.")
	cli.Exit(run())
}

func run() error {
	if err := options.Validate(); err != nil {
		return err
	}
	c, err := cli.OpenModel(*path, auto.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	config := generate.Config{Sequences: 1, Context: *size, Device: tensor.DefaultDevice(), Decode: generate.Text(c.Tokenizer.NewStream)}
	if *threads > 0 {
		config.Device = tensor.NewDevice(*threads)
	}
	if *adapter != "" {
		a, err := auto.OpenAdapter(c.Model, "default", *adapter)
		if err != nil {
			return err
		}
		config.Adapter = a.Name()
	}
	t, err := cli.Template(c, *template, time.Now)
	if err != nil {
		return err
	}
	talk := &conversation{template: t, words: c.Tokenizer}
	if err := talk.begin(*system); err != nil {
		return err
	}
	options.StopIDs = talk.ends()
	gen, err := generate.New(c.Model, config)
	if err != nil {
		return err
	}
	defer gen.Close()
	out := printer{json: *asJSON}
	out.start(c, gen, t != nil)
	if *prompt != "" {
		return answer(gen, talk, *prompt, &out)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for out.ask(); lines.Scan(); out.ask() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		if err := answer(gen, talk, text, &out); err != nil {
			return err
		}
	}
	out.end()
	return lines.Err()
}

// answer lets the model answer a text and keeps both in the conversation.
func answer(gen *generate.Generator, talk *conversation, text string, out *printer) error {
	ids, err := talk.ask(text, max(gen.Context()/2, gen.Context()-options.MaxTokens))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := options
	o.First = talk.answers // each answer draws random numbers of its own
	reply := reply{Prompt: text, PromptTokens: len(ids)}
	began := time.Now()
	for token, err := range gen.Stream(ctx, ids, o) {
		if errors.Is(err, context.Canceled) {
			reply.Finish = "interrupted"
			break
		}
		if err != nil {
			return fmt.Errorf("%w (-context, -max-tokens)", err)
		}
		reply.add(token)
		out.token(token)
	}
	reply.Seconds = time.Since(began).Seconds()
	talk.answered(reply.Text)
	return out.answer(&reply)
}
