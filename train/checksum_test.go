package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSumsAreThoseOfSha256sum(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	for name, text := range map[string]string{stateName: "", optimizerName: "abc", "sub/x y": "abc"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	names, err := listFiles(dir)
	require.NoError(t, err)
	sums, err := sumFiles(dir, names)
	require.NoError(t, err)
	// FIPS 180-4 test vectors.
	const empty, abc = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	assert.Equal(t, abc+"  "+optimizerName+"\n"+empty+"  "+stateName+"\n"+abc+"  sub/x y\n", string(sums))
	require.NoError(t, os.WriteFile(filepath.Join(dir, sumsName), sums, 0o600))
	require.NoError(t, verify(dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub/x y"), []byte("abd"), 0o600))
	err = verify(dir)
	assert.ErrorIs(t, err, ErrCorrupt)
	assert.ErrorContains(t, err, "x y: got SHA-256 a52d159f262b…, want ba7816bf8f01…")
}

func TestSumsAreParsedStrictly(t *testing.T) {
	sum := strings.Repeat("0", 64)
	good := sum + "  " + stateName + "\n" + sum + "  " + optimizerName + "\n"
	_, err := parseSums([]byte(good))
	require.NoError(t, err)
	for raw, want := range map[string]string{
		"":                                   "got no line break at the end",
		good[:len(good)-1]:                   "got no line break at the end",
		good[:strings.Index(good, "\n")+1]:   "got no line for optimizer.safetensors",
		good + sum + "  ../../etc/passwd\n":  "want one inside the folder",
		good + sum + "  /etc/passwd\n":       "want one inside the folder",
		good + sum + "  " + stateName + "\n": "twice",
		good + "zz  a\n":                     "line 3: got \"zz  a\", want a SHA-256",
		good + sum + " *a\n":                 "line 3",
		good + "\n":                          "line 3",
	} {
		_, err := parseSums([]byte(raw))
		assert.ErrorContains(t, err, want, "%q", raw)
	}
}

func FuzzParseSums(f *testing.F) {
	sum := strings.Repeat("ab", 32)
	f.Add([]byte(sum + "  " + stateName + "\n" + sum + "  " + optimizerName + "\n"))
	f.Add([]byte(sum + "  ../x\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		sums, err := parseSums(raw)
		if err != nil {
			return
		}
		for name, sum := range sums {
			if !filepath.IsLocal(name) || len(sum) != 64 {
				t.Errorf("accepted %q %q", name, sum)
			}
		}
	})
}

// FuzzState feeds state.json of any content to a trainer: an error or a sound
// state, never a panic.
func FuzzState(f *testing.F) {
	out := f.TempDir()
	finishRun(f, true, out, nil)
	f.Add([]byte(read(f, out, checkpointsDir, checkpointName(12), stateName)))
	f.Add([]byte(`{"format":1,"stage":"toy","options":{}}`))
	f.Add([]byte(`[`))
	tr := newTrainer(f, runToy(true), Options{MaxSteps: 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := tr.parseState(raw)
		if err == nil && (s.Step < 0 || s.Stage != "toy") {
			t.Errorf("accepted %s", raw)
		}
	})
}
