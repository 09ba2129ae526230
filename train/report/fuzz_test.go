package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzReport(f *testing.F) {
	f.Add([]byte(runText), []byte(metricsText), []byte(samplesText))
	f.Add([]byte(`{"options":{"a":{"b":{"c":{"d":{"e":[{}]}}}}},"machine":[]}`), []byte(`{"step":1e3,"a":1e999,"b":-1e308,"c":1e308}`+"\n"+`{"step":2000,"b":1e308,"c":-1e308}`), []byte(`{"step":1,"prompt":{},"scores":{"a":-0}}`))
	f.Add([]byte(`null`), []byte("{\"step\":9007199254740992,\"\\u0061\":1,\"a\":2,\"step\":3}\n\n{\"event\":\"eval\",\"step\":0,\"x\":0,\"x_low\":null,\"x_high\":1}"), []byte("{\"step\":0,\"prompt\":\"\\ud800</script>\xff\"}"))
	f.Fuzz(func(t *testing.T, run, metrics, samples []byte) {
		if len(run)+len(metrics)+len(samples) == 0 {
			return
		}
		render(t, string(run), string(metrics), string(samples))
	})
}

// FuzzFields compares the walk over an object with encoding/json.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{`{}`, ` {"a" : 1 , "b":[1,{"c":"]"}],"d":"\\\"}","e":null, "f" :{"g":{}},"h":-1.5e3}`, `{"\u0061":true,"":""}`, `{"a":1,"a":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		var want map[string]json.RawMessage
		if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &want) != nil {
			return
		}
		got := map[string]json.RawMessage{}
		eachField(raw, func(name, value []byte) { got[unquote(name)] = value })
		require.Equal(t, len(want), len(got), "%s", raw)
		for name, value := range want {
			require.Equal(t, strings.TrimSpace(string(value)), string(got[name]), "%q in %s", name, raw)
		}
	})
}
