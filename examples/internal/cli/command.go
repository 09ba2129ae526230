package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Run parses the command line, calls run, and exits with status 1 and one line on
// stderr when it fails. An interrupt ends the context: a step in progress is
// completed and, with -out, saved.
func Run(about string, run func(ctx context.Context) error) {
	Parse(about)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	Exit(err)
}

// Parse parses the command line, which consists of flags only. With -h it prints
// about and the flags, and exits.
func Parse(about string) {
	fs := flag.CommandLine
	fs.Init(fs.Name(), flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	err := fs.Parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(os.Stdout)
		fmt.Printf("%s\n\nFlags:\n", about)
		fs.PrintDefaults()
		os.Exit(0)
	case err != nil:
		err = fmt.Errorf("%w (-h lists the flags)", err)
	case fs.NArg() > 0:
		err = fmt.Errorf("got arguments %q, want flags only (-h lists them)", fs.Args())
	}
	Exit(err)
}

// Exit ends the process with status 1 and one line on stderr if err is not nil.
func Exit(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	os.Exit(1)
}
