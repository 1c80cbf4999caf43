package firehose

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryCompressionReadsBackToWhatItWas(t *testing.T) {
	body := bytes.Repeat([]byte("twelve bytes"), 50_000) // more than two of Hadoop's blocks
	for format, read := range map[types.CompressionFormat]func([]byte) []byte{
		types.CompressionFormatZip: func(b []byte) []byte {
			archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
			require.NoError(t, err)
			require.Len(t, archive.File, 1)
			entry, err := archive.File[0].Open()
			require.NoError(t, err)
			return readAll(t, entry)
		},
		types.CompressionFormatSnappy: func(b []byte) []byte { return readAll(t, snappy.NewReader(bytes.NewReader(b))) },
		types.CompressionFormatHadoopSnappy: func(b []byte) (all []byte) {
			for len(b) > 0 {
				length := binary.BigEndian.Uint32(b[4:])
				block, err := snappy.Decode(nil, b[8:8+length])
				require.NoError(t, err)
				assert.Len(t, block, int(binary.BigEndian.Uint32(b)))
				all, b = append(all, block...), b[8+length:]
			}
			return all
		},
	} {
		compressed, err := compressions[format].compress(body)
		require.NoError(t, err)
		assert.Less(t, len(compressed), len(body)/5, format)
		assert.Equal(t, body, read(compressed), format)
	}
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	return all
}
