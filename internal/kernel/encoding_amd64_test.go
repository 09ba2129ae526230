package kernel

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAVX2FilesNeedNoMore: the avx2 level runs on machines without AVX-512, so
// its files must not hold an instruction that would end the process there:
// no ZMM or mask register, no register above 15, no name that exists only in
// AVX-512, and no BMI2, which only the avx512 code relies on.
func TestAVX2FilesNeedNoMore(t *testing.T) {
	files, err := filepath.Glob("z*_avx2_amd64.s")
	require.NoError(t, err)
	require.Len(t, files, 5)
	forbidden := regexp.MustCompile(`\bZ\d|\bK[0-7]\b|\b[XY](1[6-9]|2\d|3[01])\b|\.BCST|\.Z\b|32X4|64X|VSCALEF|VRNDSCALE|VPTERNLOG|VP(AND|OR|XOR)[DQ]\b|VMOVDQ\w*(8|16|32|64)\b|VPMOV\w*DW\b|BZHI`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Empty(t, forbidden.FindAllString(string(text), 3), name)
	}
}
