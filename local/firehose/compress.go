package firehose

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/klauspost/compress/snappy"
)

// compression is one of Firehose's formats.
type compression struct {
	extension string // of an object's name
	encoding  string // Content-Encoding
	writer    func(io.Writer) (io.WriteCloser, error)
}

// compressions are the formats by their names (developer guide, s3-object-name, for the
// extensions). AWS does not document the framing of its Snappy; here it is Snappy's own framing format.
var compressions = map[types.CompressionFormat]compression{
	types.CompressionFormatUncompressed: {},
	types.CompressionFormatGzip: {extension: ".gz", encoding: "gzip", writer: func(w io.Writer) (io.WriteCloser, error) {
		return gzip.NewWriter(w), nil
	}},
	types.CompressionFormatZip: {extension: ".zip", writer: newZip},
	types.CompressionFormatSnappy: {extension: ".snappy", writer: func(w io.Writer) (io.WriteCloser, error) {
		return snappy.NewBufferedWriter(w), nil
	}},
	types.CompressionFormatHadoopSnappy: {extension: ".hsnappy", writer: func(w io.Writer) (io.WriteCloser, error) {
		return hadoopSnappy{w}, nil
	}},
}

// compress returns body in the format.
func (c compression) compress(body []byte) ([]byte, error) {
	if c.writer == nil {
		return body, nil
	}
	var compressed bytes.Buffer
	writer, err := c.writer(&compressed)
	if err == nil {
		_, err = writer.Write(body)
		err = errors.Join(err, writer.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("compressing %d bytes: %w", len(body), err)
	}
	return compressed.Bytes(), nil
}

// zipped is an archive with one entry.
type zipped struct {
	io.Writer
	archive *zip.Writer
}

func newZip(w io.Writer) (io.WriteCloser, error) {
	archive := zip.NewWriter(w)
	entry, err := archive.Create("data") // AWS does not document the entry's name
	return zipped{entry, archive}, err
}

func (z zipped) Close() error { return z.archive.Close() }

// hadoopSnappy writes blocks as Hadoop's SnappyCodec does: the length of the block, and
// that of its compressed form before the form itself.
type hadoopSnappy struct{ io.Writer }

// hadoopBlock is io.compression.codec.snappy.buffersize, by default 256 KiB.
const hadoopBlock = 256 * 1024

func (h hadoopSnappy) Write(body []byte) (int, error) {
	for start := 0; start < len(body); start += hadoopBlock {
		block := body[start:min(start+hadoopBlock, len(body))]
		compressed := snappy.Encode(nil, block)
		lengths := binary.BigEndian.AppendUint32(nil, uint32(len(block)))
		lengths = binary.BigEndian.AppendUint32(lengths, uint32(len(compressed)))
		if _, err := h.Writer.Write(append(lengths, compressed...)); err != nil {
			return start, err
		}
	}
	return len(body), nil
}

func (hadoopSnappy) Close() error { return nil }
