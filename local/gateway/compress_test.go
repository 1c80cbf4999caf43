package gateway_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
func TestPayloadsAreCompressed(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g, func(in *apigateway.CreateRestApiInput) { in.MinimumCompressionSize = aws.Int32(100) })
	large := strings.Repeat("x", 100)
	mock := map[string]string{"application/json": `{"statusCode": 200}`}
	a.add(t, method{verb: "GET", path: "/large", request: mock, responses: []answer{{status: "200", template: large}}})
	a.add(t, method{verb: "GET", path: "/small", request: mock, responses: []answer{{status: "200", template: large[1:]}}})
	a.add(t, method{verb: "GET", path: "/empty", request: mock, responses: []answer{{status: "204", template: large}}})
	a.add(t, method{verb: "GET", path: "/coded", request: mock, responses: []answer{{status: "200", template: large, headers: map[string]string{"Content-Encoding": "'br'"}}}})
	stream := newStream(t, config)
	a.add(t, method{
		verb: "POST", path: "/events", uri: putRecord, pass: "NEVER",
		request: map[string]string{"application/json": eventRequest}, responses: []answer{{status: "202", template: "accepted"}},
	})
	a.deploy(t)

	for accepts, want := range map[string]string{
		"gzip": "gzip", "deflate,gzip": "deflate", "gzip, deflate, br": "gzip", "deflate;q=0.5,gzip;q=1.0": "gzip",
		"gzip;q=1.0,identity;q=0.5,*;q=0": "gzip", "GZIP": "gzip",
		"*": "", "identity": "", "br": "", "br;q=1.0,gzip;q=0.9": "", "gzip;q=0": "", "gzip;q=x": "",
	} {
		t.Run("a client that accepts "+accepts, func(t *testing.T) {
			got := a.do(t, "GET", "/large", "", "Accept-Encoding", accepts)
			assert.Equal(t, http.StatusOK, got.status)
			assert.Equal(t, want, got.header.Get("Content-Encoding"))
			assert.Equal(t, large, expand(t, want, got.body))
		})
	}
	t.Run("a response below the least size is not compressed", func(t *testing.T) {
		got := a.do(t, "GET", "/small", "", "Accept-Encoding", "gzip")
		assert.Equal(t, large[1:], got.body)
		assert.Empty(t, got.header.Get("Content-Encoding"))
	})
	t.Run("nor is one that says it is compressed", func(t *testing.T) {
		got := a.do(t, "GET", "/coded", "", "Accept-Encoding", "gzip")
		assert.Equal(t, large, got.body)
		assert.Equal(t, "br", got.header.Get("Content-Encoding"))
	})
	t.Run("a status without a body has none", func(t *testing.T) {
		got := a.do(t, "GET", "/empty", "", "Accept-Encoding", "gzip")
		assert.Equal(t, http.StatusNoContent, got.status)
		assert.Empty(t, got.body)
		assert.Empty(t, got.header.Get("Content-Encoding"))
	})

	event := `{"a":1}`
	for _, coding := range []string{"gzip", "deflate", "identity", ""} {
		t.Run("a request in "+coding+" is decompressed, however small", func(t *testing.T) {
			got := a.post(t, "/events", pack(t, coding, event), "Content-Encoding", coding)
			assert.Equal(t, http.StatusAccepted, got.status, got.body)
			assert.Equal(t, []string{event}, stream.next(t))
		})
	}
	for name, request := range map[string]struct{ coding, body string }{
		"an unknown coding":      {"br", event},
		"two codings":            {"gzip, deflate", pack(t, "deflate", pack(t, "gzip", event))},
		"not what it says":       {"gzip", event},
		"not what it says, zlib": {"deflate", event},
		"cut short":              {"gzip", pack(t, "gzip", event)[:20]},
	} {
		t.Run("a request is refused: "+name, func(t *testing.T) {
			got := a.post(t, "/events", request.body, "Content-Encoding", request.coding)
			assert.Equal(t, http.StatusUnsupportedMediaType, got.status)
			assert.Equal(t, `{"message":"Unsupported Media Type"}`, got.body)
		})
	}
	t.Run("10 MB is the limit of what is decompressed too", func(t *testing.T) {
		got := a.post(t, "/events", pack(t, "gzip", strings.Repeat(" ", 10<<20+1)), "Content-Encoding", "gzip")
		assert.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	})
	t.Run("nothing refused is in the stream", func(t *testing.T) {
		assert.Empty(t, stream.next(t))
	})
}

func TestAnAPIWithoutALeastSizeCompressesNothing(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	a.add(t, method{
		verb: "POST", path: "/large", request: map[string]string{"application/json": `{"statusCode": 200}`},
		responses: []answer{{status: "200", template: strings.Repeat("x", 10_000)}},
	})
	a.deploy(t)

	got := a.post(t, "/large", pack(t, "gzip", "{}"), "Accept-Encoding", "gzip", "Content-Encoding", "gzip")

	assert.Equal(t, http.StatusOK, got.status, "requests are decompressed all the same")
	assert.Empty(t, got.header.Get("Content-Encoding"))
	assert.Len(t, got.body, 10_000)
}

// pack is text in a content coding, expand the reverse.
func pack(t *testing.T, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	default:
		return text
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func expand(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}
