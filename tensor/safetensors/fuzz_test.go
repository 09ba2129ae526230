package safetensors

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// FuzzParse parses arbitrary bytes. What is accepted must be readable, must be
// JSON in the eyes of encoding/json, and must survive being written again.
func FuzzParse(f *testing.F) {
	f.Add(fileOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, []byte{0, 0, 128, 63}))
	f.Add(fileOf(`{"__metadata__":{"k":"\ud83d\ude42\n"},"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"F4","shape":[2],"data_offsets":[4,5],"x":[1.5e-3,null,{"y":true}]}}`, []byte{0, 0, 128, 63, 7}))
	f.Add(fileOf(`{}`, nil))
	f.Add([]byte("version https://git-lfs"))
	corpus, _ := filepath.Glob("../../testdata/oracle/formats/safetensors/*/*.safetensors")
	for _, path := range corpus {
		if data, err := os.ReadFile(path); err == nil && len(data) < 4096 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		require.True(t, json.Valid(data[8:file.data]), "a header that is not JSON was taken")
		infos, huge := []Info{}, false
		for name, x := range file.Tensors() {
			infos = append(infos, Info{name, x.Dtype(), x.Shape()})
			huge = huge || x.Len() == 0 // a dimension beyond int does not survive
			if x.Dtype().Widens() {
				v, err := x.Float32()
				require.NoError(t, err)
				require.Len(t, v, x.Len())
			}
		}
		places, err := layout(infos)
		if huge {
			return
		}
		require.NoError(t, err)
		header, err := encodeHeader(places, file.Metadata())
		require.NoError(t, err)
		again, err := Parse("again", append(header, data[file.data:]...))
		require.NoError(t, err)
		require.Equal(t, file.Len(), again.Len())
		require.Equal(t, len(file.metadata), len(again.metadata))
	})
}

// FuzzIndex reads arbitrary shard indexes: no name may lead out of the folder.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":96.0},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"x.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Add([]byte(`{"weight_map":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ix, err := indexOf(data)
		if err != nil {
			return
		}
		require.True(t, json.Valid(data))
		for _, name := range ix.shards {
			require.Equal(t, filepath.Base(name), name)
			require.False(t, bytes.ContainsAny([]byte(name), "/\\\x00:"), name)
		}
	})
}

func indexOf(data []byte) (*shardIndex, error) { return readIndex(mapped.Memory("fuzz", data)) }
