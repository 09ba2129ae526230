package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// checkOut wants a folder in which nothing can be lost.
func checkOut(dir string) error {
	if dir == "" {
		return errors.New("-out: got none, want a folder to write")
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-out: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("-out: %s is not empty, it holds %s", dir, entries[0].Name())
	}
	return nil
}

// ggufTypes are the names of -gguf.
var ggufTypes = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "bf16": gguf.BF16, "q8_0": gguf.Q8_0, "q4_0": gguf.Q4_0, "q4_k": gguf.Q4_K, "q5_k": gguf.Q5_K, "q6_k": gguf.Q6_K}

// write writes the checkpoint and gives its size in bytes.
func write(c *auto.Checkpoint, stored tensor.Dtype) (int64, error) {
	if !strings.HasSuffix(strings.ToLower(*out), ".gguf") {
		if err := auto.Save(*out, c, auto.SaveOptions{Dtype: stored}); err != nil {
			return 0, err
		}
		return folderBytes(*out)
	}
	t, ok := ggufTypes[*kind]
	if !ok {
		return 0, fmt.Errorf("-gguf: got %q, want f32, f16, bf16, q8_0, q4_0, q4_k, q5_k or q6_k", *kind)
	}
	report, err := auto.SaveGGUF(*out, c, auto.GGUFOptions{Type: t})
	if err != nil {
		return 0, err
	}
	worst := quantized{}
	for _, w := range report {
		if w.Loss.RMSE() > worst.RMSE {
			worst = quantized{w.Name, w.Loss.RMSE()}
		}
	}
	if err := say("quantized", worst); err != nil {
		return 0, err
	}
	info, err := os.Stat(*out)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// folderBytes is the size of the files in a folder.
func folderBytes(dir string) (n int64, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n, err
}
