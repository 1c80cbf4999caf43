package gateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// decompress undoes the request's content coding, deflate or gzip. It does so whatever the API's
// minimumCompressionSize: "By default, API Gateway supports decompression of the method request payload."
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
// Another page has it that smaller payloads are not decompressed; taken at its word, a client could
// not know whether it may compress.
func (x *exchange) decompress() error {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(x.Header.Values("Content-Encoding"), ",")))
	if coding == "" || coding == "identity" {
		return nil
	}
	// "If the specified coding isn't supported or the supplied payload isn't compressed with specified
	// coding, API Gateway returns the 415 Unsupported Media Type error response."
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html
	plain, ok := decode(coding, x.body)
	if !ok {
		return refused(types.GatewayResponseTypeUnsupportedMediaType, "Unsupported Media Type")
	}
	x.body = plain
	return x.checkSize() // of what is decompressed: not documented
}

// decode undoes a content coding, up to a byte more than [maxPayload].
func decode(coding string, body []byte) ([]byte, bool) {
	var plain io.Reader
	var err error
	switch coding {
	case "gzip":
		plain, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // RFC 9110: the zlib format
		plain, err = zlib.NewReader(bytes.NewReader(body))
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	content, err := io.ReadAll(io.LimitReader(plain, maxPayload+1))
	return content, err == nil
}

// compress compresses an integration's response if the API does so, the client names a coding that is
// supported, and "the size of an integration response payload, after the applicable mapping template is applied, is
// greater than or equal to the specified minimumCompressionSize value". Gateway responses are left
// alone: the page speaks of integration responses only.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-receive-response-with-compressed-payload.html
func (x *exchange) compress(answer *response, answered backendResponse) {
	least := x.stage.minimumCompression
	if least == nil || len(answer.body) < int(*least) || !hasBody(answer.status) {
		return
	}
	if _, coded := answer.header[canonical(answer.header, "Content-Encoding")]; coded || answered.header.Get("Content-Encoding") != "" {
		return // "API Gateway assumes that the integration response payload is already compressed"
	}
	var small bytes.Buffer
	var w io.WriteCloser
	coding := preferred(strings.Join(x.Header.Values("Accept-Encoding"), ","))
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&small)
	case "deflate":
		w = zlib.NewWriter(&small)
	default: // "Without an explicit specification of supported Accept-Encoding header values" it does not
		return
	}
	_, _ = w.Write(answer.body) // a buffer takes it all
	_ = w.Close()
	answer.body = small.Bytes()
	answer.header["Content-Encoding"] = coding
}

// preferred is the coding that an Accept-Encoding likes best, of equals the first: "The highest-priority
// content encoding must be one supported by API Gateway. If it is not, compression is not applied".
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-enable-compression.html
func preferred(accept string) string {
	best, most := "", 0.0
	for part := range strings.SplitSeq(strings.ToLower(accept), ",") {
		name, weight, weighted := strings.Cut(part, ";")
		quality := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(weight), "q="); ok && weighted {
			var err error
			if quality, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
		}
		if quality > most {
			best, most = strings.TrimSpace(name), quality
		}
	}
	return best
}
