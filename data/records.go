package data

import (
	"fmt"
	"io"
)

// records opens the file and returns all its rows.
func (m member) records(opts ReadOptions) (Records, error) {
	stream, err := m.open()
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", m.label, err)
	}
	records, err := recordsOf(stream, m.label, opts)
	if err != nil {
		stream.Close()
		return nil, err
	}
	return &owned{records, stream}, nil
}

// recordsOf finds out what a stream is and returns its rows.
func recordsOf(stream io.Reader, label string, opts ReadOptions) (Records, error) {
	if f := opts.match(label, stream); f != nil {
		table, err := openFormat(f, stream, label, opts)
		if err != nil {
			return nil, err
		}
		return &tableRecords{table: table}, nil
	}
	plain, closePlain, err := decompress(stream, label, opts)
	if err != nil {
		return nil, err
	}
	var records Records
	if d := delimiterOf(label, opts); d != 0 {
		records = newCSV(plain, label, d, opts)
	} else {
		records = jsonRecords{newSplitter(plain, label, opts.MaxRowBytes)}
	}
	return &unpacked{records, closePlain}, nil
}

// jsonRecords are the rows of a JSON or JSON Lines file.
type jsonRecords struct{ split *splitter }

func (j jsonRecords) Next() ([]byte, Place, error) {
	raw, line, err := j.split.next()
	return raw, Place{File: j.split.label, Line: line}, err
}

func (jsonRecords) Close() error { return nil }

// owned closes the file behind records as well.
type owned struct {
	Records
	file io.Closer
}

func (o *owned) Close() error {
	err := o.Records.Close()
	o.file.Close()
	return err
}

// unpacked frees the decompressor behind records as well.
type unpacked struct {
	Records
	free func()
}

func (u *unpacked) Close() error {
	err := u.Records.Close()
	u.free()
	return err
}
