package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ConfigFile is the name of the configuration in a PEFT folder, WeightsFile that
// of the parameters.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
)

// maxConfigBytes bounds the configuration; published ones are a few kB.
const maxConfigBytes = 1 << 20

// off are the values that turn an option off.
var off = []string{"null", "false", "[]", "{}", `""`, "0"}

// origins are fields that say where an adapter came from.
var origins = []string{"peft_version", "auto_mapping", "runtime_config"}

// ReadConfig reads the configuration of a folder into v, a pointer to a struct.
// Of fields that v does not have only values that turn something off are allowed.
func ReadConfig(dir string, v any) error {
	path := filepath.Join(dir, ConfigFile)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return err
	}
	if err := ParseConfig(raw, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// ParseConfig is ReadConfig of bytes.
func ParseConfig(raw []byte, v any) error {
	if len(raw) > maxConfigBytes {
		return fmt.Errorf("got more than %d bytes", maxConfigBytes)
	}
	var all, ours map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &all), json.Unmarshal(raw, v)); err != nil {
		return err
	}
	known, err := json.Marshal(v) // its fields are there whatever their values
	if err = errors.Join(err, json.Unmarshal(known, &ours)); err != nil {
		return err
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(all)) {
		var b bytes.Buffer
		if err := json.Compact(&b, all[key]); err != nil {
			return err
		}
		if _, ok := ours[key]; !ok && !slices.Contains(origins, key) && !slices.Contains(off, b.String()) {
			errs = append(errs, fmt.Errorf("%s: got %.80s, which is not supported, want %s", key, b.String(), strings.Join(off, " or ")))
		}
	}
	return errors.Join(errs...)
}

// WriteConfig writes a configuration as PEFT lays it out.
func WriteConfig(dir string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, ConfigFile), b.Bytes())
}

// writeWhole writes a small file by way of a scratch file beside it.
func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".partial-*")
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
