package report

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A caller's notes stand on the page, as text.
func TestNotesAreShown(t *testing.T) {
	files := fstest.MapFS{metricsName: {Data: []byte(`{"event":"step","step":1,"loss":1}` + "\n")}}
	var page bytes.Buffer
	require.NoError(t, Run{Notes: []string{"logps may <fall>"}}.write(&page, files, "run"))
	assert.Contains(t, page.String(), "logps may &lt;fall&gt;")
}
