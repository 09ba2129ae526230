package reward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/reward/sandbox"
)

// CodeOptions say what Code runs. The zero value runs the completion's last block of
// Python, followed by the sample's Reference, which holds the tests.
type CodeOptions struct {
	// Language is the word after the three backquotes that open a block; "" means
	// python. Blocks of another language or of none do not count.
	Language string
	// Command runs the file File; nil means python3 File.
	Command []string
	// File is the name of the file that the program is put into; "" means main.py.
	File string
	// Program makes the file's text of the block and the sample. It must print mark as
	// its last line when all tests have passed: a block that ends the program before
	// them would pass otherwise. Nil is for Python: the block, Sample.Reference, and a
	// print of the mark.
	Program func(block string, s Sample, mark string) (string, error)
	// StoppedIsWrong gives reward 0 to a program that broke a limit or crashed. By
	// default that is an error, and so no reward: whether the program is wrong or the
	// machine was busy is not known.
	StoppedIsWrong bool
}

// Code is a verifier that runs the program in a completion through r, a sandbox: 1 if
// the program ends with exit status 0 and the mark in its last line of output, and 0
// if it does not or there is no block of code. That the program fails to start (exit status 126 or 127 of the
// shell's convention, a missing interpreter) is an error.
func Code(r sandbox.Runner, o CodeOptions) (Verifier, error) {
	if r == nil {
		return nil, fmt.Errorf("reward: code: %w: got no Runner, want one (sandbox.NewBubblewrap)", ErrOptions)
	}
	if o.Language == "" {
		o.Language = "python"
	}
	if o.File == "" {
		o.File = "main.py"
	}
	if o.Command == nil {
		o.Command = []string{"python3", o.File}
	}
	if o.Program == nil {
		o.Program = func(block string, s Sample, mark string) (string, error) {
			return block + "\n" + s.Reference + "\nprint(\"\\n" + mark + "\")\n", nil
		}
	}
	p := sandbox.Program{Command: o.Command, Files: map[string][]byte{o.File: nil}}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("reward: code: %w: %w", ErrOptions, err)
	}
	return code{r, o}, nil
}

type code struct {
	runner sandbox.Runner
	o      CodeOptions
}

// Name is "code".
func (code) Name() string { return "code" }

// Verify runs the program.
func (c code) Verify(ctx context.Context, s Sample) (float64, error) {
	if err := ended(ctx); err != nil {
		return 0, fmt.Errorf("reward: code: %w", err)
	}
	block, ok := lastBlock(s.Completion, c.o.Language)
	if !ok {
		return 0, nil
	}
	// Not a secret from a program that reads itself, but none prints it by mistake.
	sum := sha256.Sum256([]byte(block + "\x00" + s.Reference))
	mark := "passed " + hex.EncodeToString(sum[:16])
	text, err := c.o.Program(block, s, mark)
	if err != nil {
		return 0, fmt.Errorf("reward: code: %w", err)
	}
	r, err := c.runner.Run(ctx, sandbox.Program{Command: c.o.Command, Files: map[string][]byte{c.o.File: []byte(text)}})
	switch {
	case err == nil && (r.Exit == 126 || r.Exit == 127):
		return 0, fmt.Errorf("reward: code: %q did not start: exit status %d: %.200s", c.o.Command, r.Exit, r.Stderr)
	case err == nil && r.Exit == 0 && lastLine(r.Stdout) == mark:
		return 1, nil
	case err == nil:
		return 0, nil
	case c.o.StoppedIsWrong && errors.Is(err, sandbox.ErrStopped) && ended(ctx) == nil:
		return 0, nil
	}
	return 0, fmt.Errorf("reward: code: %w", err)
}

// lastLine is the last line of text that is not empty.
func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(bytes.TrimSpace(text[bytes.LastIndexByte(text, '\n')+1:]))
}

// lastBlock is the contents of the last closed block of code of a language.
func lastBlock(text, language string) (string, bool) {
	const fence = "```"
	found, ok := "", false
	for {
		open := strings.Index(text, fence)
		if open < 0 {
			return found, ok
		}
		text = text[open+len(fence):]
		line, rest, _ := strings.Cut(text, "\n")
		end := strings.Index(rest, fence)
		if end < 0 {
			return found, ok
		}
		if strings.EqualFold(strings.TrimSpace(line), language) {
			found, ok = rest[:end], true
		}
		text = rest[end+len(fence):]
	}
}
