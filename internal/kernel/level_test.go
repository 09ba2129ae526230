package kernel

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSetLevel(t *testing.T) {
	before := Level()
	assert.True(t, slices.Contains(Levels(), before))
	assert.Equal(t, "generic", Levels()[0])
	restore, err := SetLevel("generic")
	require.NoError(t, err)
	assert.Equal(t, "generic", Level())
	restore()
	assert.Equal(t, before, Level())
	_, err = SetLevel("amx")
	assert.ErrorContains(t, err, `got "amx"`)
}
