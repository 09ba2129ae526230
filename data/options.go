package data

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ReadOptions bounds and steers [Open]. The zero value is the default.
type ReadOptions struct {
	// Shape demands this shape; 0 takes the first row's. Set it where the
	// columns of a file fit several shapes.
	Shape Shape
	// Formats are kinds of files beyond JSON and CSV that are understood, such as
	// data/parquet's.
	Formats []Format
	// Delimiter separates the fields of CSV and TSV files; 0 means a comma, for
	// .tsv a tab.
	Delimiter byte
	// Limit stops after so many rows; 0 reads all.
	Limit int
	// MaxRowBytes bounds one row's JSON text (default 8 MiB).
	MaxRowBytes int
	// MaxBytes bounds the file's size after decompression (default 64 GiB).
	MaxBytes int64
	// MaxRatio bounds decompressed to compressed bytes, checked once 64 MiB
	// came out (default 300; text compresses 3 to 30 times).
	MaxRatio int64
	// MaxColumns bounds the columns of a row and the keys of any object in it
	// that is looked into (default 1024).
	MaxColumns int
	// MaxMessages bounds the messages of a conversation (default 65,536).
	MaxMessages int
	// MaxWindow bounds the memory a zstd frame may ask for (default 32 MiB;
	// files made with zstd --long need more).
	MaxWindow int64
}

// Validate reports every field that makes no sense.
func (o ReadOptions) Validate() error {
	errs := negative("ReadOptions",
		sized{"Limit", int64(o.Limit)}, sized{"MaxRowBytes", int64(o.MaxRowBytes)}, sized{"MaxBytes", o.MaxBytes},
		sized{"MaxRatio", o.MaxRatio}, sized{"MaxColumns", int64(o.MaxColumns)}, sized{"MaxMessages", int64(o.MaxMessages)},
		sized{"MaxWindow", o.MaxWindow})
	if d := o.Delimiter; d == '"' || d == '\r' || d == '\n' || d >= utf8.RuneSelf {
		errs = append(errs, fmt.Errorf("data: ReadOptions.Delimiter: got %q, want an ASCII character that is no quote or line end", d))
	}
	if o.Shape > ShapeGSM8K {
		errs = append(errs, fmt.Errorf("data: ReadOptions.Shape: got %v, want a shape of this package or 0", o.Shape))
	}
	return errors.Join(errs...)
}

func (o ReadOptions) withDefaults() ReadOptions {
	setDefault(&o.MaxRowBytes, 8<<20)
	setDefault(&o.MaxBytes, 64<<30)
	setDefault(&o.MaxRatio, 300)
	setDefault(&o.MaxColumns, 1024)
	setDefault(&o.MaxMessages, 1<<16)
	setDefault(&o.MaxWindow, 32<<20)
	return o
}

// sized is a field of options that is a size or number, 0 for its default.
type sized struct {
	name string
	got  int64
}

// negative refuses fields below 0 of the options of that name.
func negative(options string, fields ...sized) (errs []error) {
	for _, f := range fields {
		if f.got < 0 {
			errs = append(errs, fmt.Errorf("data: %s.%s: got %d, want 0 (default) or more", options, f.name, f.got))
		}
	}
	return errs
}

func setDefault[T int | int64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
