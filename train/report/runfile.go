package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Limits on run.json, which may be of any origin.
const (
	maxRunFile    = 64 << 20
	maxFacts      = 500  // rows of tables
	maxFactLength = 1000 // bytes of a value
	maxFactDepth  = 4    // objects deeper than that stay JSON
)

// runFile is run.json as train writes it.
type runFile struct {
	stage    string
	finished bool
	machine  json.RawMessage
	options  json.RawMessage
	result   map[string]float64
	other    json.RawMessage // fields of later versions
}

// readRunFile takes from run.json what makes sense, and says what does not.
func readRunFile(raw []byte) (r runFile, fault error) {
	raw = bytes.TrimSpace(raw)
	var valid json.RawMessage
	if err := json.Unmarshal(raw, &valid); err != nil {
		return r, fmt.Errorf("run.json: %w", err)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return r, fmt.Errorf("run.json: got %.20q, want an object", raw)
	}
	other := []byte{}
	eachField(raw, func(name, value []byte) {
		switch unquote(name) {
		case "format":
		case "stage":
			r.stage = unquote(value)
		case "finished":
			r.finished = string(value) == "true"
		case "machine":
			r.machine = value
		case "options":
			r.options = value
		case "result":
			r.result = numbers(value)
		default:
			other = append(append(append(append(other, ','), name...), ':'), value...)
		}
	})
	if len(other) > 0 {
		other[0] = '{'
		r.other = append(other, '}')
	}
	return r, nil
}

// numbers are the numeric fields of an object; none for anything else.
func numbers(raw []byte) map[string]float64 {
	all := map[string]float64{}
	if len(raw) > 0 && raw[0] == '{' {
		eachField(raw, func(name, value []byte) {
			if v, ok := number(value); ok {
				all[unquote(name)] = v
			}
		})
	}
	return all
}

// fact is a row of a table of settings.
type fact struct{ Name, Value string }

// factTable is a table of settings.
type factTable struct {
	Title string
	Facts []fact
}

// facts lists the fields of an object, those of inner objects as outer.inner.
func facts(object json.RawMessage) []fact {
	var all []fact
	appendFacts(&all, "", object, 1)
	if len(all) > maxFacts {
		all[maxFacts] = fact{"…", "further settings are in run.json"}
	}
	return all
}

func appendFacts(all *[]fact, prefix string, raw []byte, depth int) {
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	eachField(raw, func(name, value []byte) {
		if len(*all) > maxFacts {
			return
		}
		key := prefix + label(unquote(name), maxName)
		if value[0] == '{' && depth < maxFactDepth && len(value) > len("{}") {
			appendFacts(all, key+".", value, depth+1)
			return
		}
		*all = append(*all, fact{key, label(plain(value), maxFactLength)})
	})
}

// plain is a JSON value as people read it.
func plain(value []byte) string {
	switch {
	case string(value) == "null", string(value) == `""`:
		return "–"
	case value[0] == '"':
		return unquote(value)
	case value[0] != '[' && value[0] != '{':
		return string(value)
	}
	var names []string
	if json.Unmarshal(value, &names) == nil && len(names) > 0 {
		return strings.Join(names, ", ")
	}
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return string(value)
	}
	return b.String()
}

// tables sorts run.json into tables: the caller's settings, those of the loop,
// the machine.
func (r *runFile) tables() []factTable {
	var settings, training []fact
	for _, f := range facts(r.options) {
		if name, ok := strings.CutPrefix(f.Name, "settings."); ok {
			settings = append(settings, fact{name, f.Value})
		} else if f.Name != "settings" {
			training = append(training, f)
		}
	}
	machine := facts(r.machine)
	var all []factTable
	for _, t := range []factTable{{"Settings", settings}, {"Training", training}, {"Machine and versions", machine}, {"Further", facts(r.other)}} {
		if len(t.Facts) > 0 {
			all = append(all, t)
		}
	}
	return all
}
