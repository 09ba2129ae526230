package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ErrOptionsChanged is wrapped by the error about a run that is resumed with
// other options than it began with.
var ErrOptionsChanged = errors.New("train: options changed")

// mayChange are the options that influence neither weights nor logs.
var mayChange = map[string]bool{"save_every": true, "keep": true}

// compareOptions reports every option that differs, by its JSON name.
func compareOptions(saved json.RawMessage, now Options) error {
	raw, err := json.Marshal(now)
	if err != nil {
		return err
	}
	was, is := map[string]string{}, map[string]string{}
	if err := errors.Join(flattenJSON("", saved, was), flattenJSON("", raw, is)); err != nil {
		return fmt.Errorf("train: saved options: %w", err)
	}
	names := map[string]bool{}
	for name := range was {
		names[name] = true
	}
	for name := range is {
		names[name] = true
	}
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was[name] != is[name] && !mayChange[name] {
			changes = append(changes, fmt.Sprintf("%s: got %s, want %s as before", strings.TrimPrefix(name, "settings."), orNone(is[name]), orNone(was[name])))
		}
	}
	if len(changes) > 0 {
		return fmt.Errorf("%w since the run began: %s", ErrOptionsChanged, strings.Join(changes, "; "))
	}
	return nil
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// flattenJSON lists the leaves of a JSON value as path and compact value.
func flattenJSON(path string, raw json.RawMessage, into map[string]string) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) == nil && fields != nil {
		for name, v := range fields {
			if err := flattenJSON(strings.TrimPrefix(path+"."+name, "."), v, into); err != nil {
				return err
			}
		}
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		for i, v := range list {
			if err := flattenJSON(path+"["+strconv.Itoa(i)+"]", v, into); err != nil {
				return err
			}
		}
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return err
	}
	into[path] = compact.String()
	return nil
}
