package transformer

import (
	"encoding/json"
	"slices"

	"github.com/segmentio/asm/base64"
)

// MaxResponseBytes is how large a function's synchronous response may be: 6 MB
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
// Lambda fails the whole invocation above it, and with it every record in it.
// The message of that error has 6,291,556 bytes, which is not documented: 100 more.
const MaxResponseBytes = 6 * 1024 * 1024

// Firehose asks for all of recordId, result and data, whatever the result
// (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html).
const (
	responseBegin = `{"records":[`
	responseEnd   = `]}`
	recordBegin   = `{"recordId":`
	okBegin       = `,"result":"Ok","data":"`
	okEnd         = `"`
	keysBegin     = `,"metadata":{"partitionKeys":`
	keysEnd       = `}`
	recordEnd     = `}`
	dropped       = `,"result":"Dropped","data":""}`
	// failed carries no data: what Firehose writes under the error prefix is the
	// record as it came.
	failed = `,"result":"ProcessingFailed","data":""}`
)

// response is the answer as it grows. Every record has room reserved to fail in,
// so that each id goes back whatever happens.
type response struct {
	text    []byte
	room    int    // bytes that answers may take beyond what is reserved
	payload []byte // of the request, which has the ids
}

// roomToGrow is what an answer mostly has beyond its record's id and data: its
// own members, and our metadata in base64. More is made room for as it comes.
const roomToGrow = 192

func newResponse(records []incoming, payload []byte, limit int) *response {
	r := &response{room: limit - len(responseBegin) - len(responseEnd), payload: payload}
	expected := len(responseBegin) + len(responseEnd)
	for i := range records {
		id, data := of(payload, records[i].id), of(payload, records[i].data)
		r.room -= len(recordBegin) + len(id) + len(failed) + len(",")
		expected += len(id) + len(data) + roomToGrow
	}
	r.text = append(make([]byte, 0, min(limit, expected)), responseBegin...)
	return r
}

func (r *response) begin(in *incoming) {
	if r.text[len(r.text)-1] != '[' {
		r.text = append(r.text, ',')
	}
	r.text = append(r.text, recordBegin...)
	r.text = append(r.text, of(r.payload, in.id)...)
}

func (r *response) drop(in *incoming) {
	r.begin(in)
	r.text = append(r.text, dropped...)
	r.room += len(failed) - len(dropped)
}

func (r *response) fail(in *incoming) {
	r.begin(in)
	r.text = append(r.text, failed...)
}

// deliver answers with result if there is room for it. Where there is none, the
// record must fail: the rest of the batch is not sent anew, since it would reach
// the stream's other consumers a second time.
func (r *response) deliver(in *incoming, result Result) (ok bool) {
	var keys []byte
	if len(result.PartitionKeys) > 0 {
		keys, _ = json.Marshal(result.PartitionKeys) // strings always marshal
	}
	encoded := base64.StdEncoding.EncodedLen(len(result.Data))
	size := len(okBegin) + encoded + len(okEnd) + len(recordEnd)
	if keys != nil {
		size += len(keysBegin) + len(keys) + len(keysEnd)
	}
	if size-len(failed) > r.room {
		return false
	}
	r.room -= size - len(failed)
	r.begin(in)
	r.text = append(r.text, okBegin...)
	r.text = slices.Grow(r.text, encoded)
	end := len(r.text) + encoded
	base64.StdEncoding.Encode(r.text[len(r.text):end], result.Data)
	r.text = append(r.text[:end], okEnd...)
	if keys != nil {
		r.text = append(r.text, keysBegin...)
		r.text = append(r.text, keys...)
		r.text = append(r.text, keysEnd...)
	}
	r.text = append(r.text, recordEnd...)
	return true
}

func (r *response) end() []byte {
	return append(r.text, responseEnd...)
}
