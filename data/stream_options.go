package data

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
)

// StreamPart is one of the sources that a [Stream] mixes: a file, a folder or a
// pattern, as [Open] takes them.
type StreamPart struct {
	Path string
	// FS holds Path; nil means the machine's files.
	FS fs.FS
	// Weight is the part's share of the rows drawn, in relation to the other
	// weights; 0 means 1.
	Weight float64
}

// StreamOptions steer [OpenStream]. The zero value is the default.
type StreamOptions struct {
	Read    ReadOptions // Limit must be 0
	Prepare PrepareOptions
	// Batch is as for a Batcher. TokensPerMicro 0 means 2048 or Prepare's
	// MaxLength, whichever is more. With Sequential, rows come in the files'
	// order, parts still mixed.
	Batch BatchOptions
	// WindowBytes is how much text is held in memory, for each part, to be
	// shuffled (default 16 MiB).
	WindowBytes int
	// BlockBytes is the size of the pieces that JSON Lines files are cut into;
	// a window is filled from pieces of all over the file (default 256 KiB).
	BlockBytes int
	// UntilAll goes on until every part went through Batch.Epochs epochs,
	// beginning shorter parts anew; otherwise the stream ends with the first part
	// that did.
	UntilAll bool
	// Workers is how many rows are tokenised at a time; 0 means one for each
	// core. It does not change results.
	Workers int
}

// Validate reports every field that makes no sense.
func (o StreamOptions) Validate() error {
	errs := []error{o.Read.Validate(), o.Prepare.Validate(), o.Batch.Validate()}
	errs = append(errs, negative("StreamOptions",
		sized{"WindowBytes", int64(o.WindowBytes)}, sized{"BlockBytes", int64(o.BlockBytes)}, sized{"Workers", int64(o.Workers)})...)
	if o.Read.Limit != 0 {
		errs = append(errs, fmt.Errorf("data: StreamOptions.Read.Limit: got %d, want 0: a stream reads whole files", o.Read.Limit))
	}
	return errors.Join(errs...)
}

func (o StreamOptions) withDefaults() StreamOptions {
	o.Read = o.Read.withDefaults()
	setDefault(&o.Prepare.MaxLength, 1024)
	o.Batch = o.Batch.withDefaults(o.Prepare.MaxLength)
	setDefault(&o.WindowBytes, 16<<20)
	setDefault(&o.BlockBytes, 256<<10)
	setDefault(&o.Workers, runtime.GOMAXPROCS(0))
	return o
}

// identity says what decides on the steps beside the files.
func (o *StreamOptions) identity() string {
	p, b := &o.Prepare, &o.Batch
	return fmt.Sprintf("steps of %d tokens or %d examples, micro-batches of %d tokens and %d segments, seed %d, sequential %t, drop short %t, "+
		"window %d, blocks %d, until all %t, max length %d, truncation %d, loss %d, fallback %d, eos %q",
		b.TokensPerStep, b.ExamplesPerStep, b.TokensPerMicro, b.MaxSegments, b.Seed, b.Sequential, b.DropShort,
		o.WindowBytes, o.BlockBytes, o.UntilAll, p.MaxLength, p.Truncation, p.Loss, p.Fallback, p.EOS)
}
