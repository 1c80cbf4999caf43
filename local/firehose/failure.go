package firehose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The error-output-types of what is not delivered (developer guide, s3-prefixes). What cannot be
// partitioned has no type of its own in that list.
const (
	processingFailed = "processing-failed"
	conversionFailed = "format-conversion-failed"
)

// failure is why a record was not delivered.
type failure struct {
	code, message string
	attempts      int
	function      string        // ARN of the processor that failed on it
	table         *catalogTable // whose schema it could not be converted to
}

// catalogTable is a Glue table as an error line names it.
type catalogTable struct {
	CatalogID    string `json:"catalogId"`
	DatabaseName string `json:"databaseName"`
	TableName    string `json:"tableName"`
	Region       string `json:"region"`
	VersionID    string `json:"versionId"`
	CatalogARN   string `json:"catalogArn"`
}

// outputType is the error-output-type of f.
func (f failure) outputType() string {
	if f.table != nil {
		return conversionFailed
	}
	return processingFailed
}

// line is the record's line in the object under the error prefix. The developer
// guide documents two shapes, for the processor (data-transformation-failure-handling)
// and for conversion (record-format-conversion-error-handling); of the first, partitioning's
// has been seen, which names no function. The guide spells lambdaArn so; objects of 2025 and
// later have been seen with lambdaARN: a reader must take both, as encoding/json does.
func (f failure) line(r record) []byte {
	arrived, ended := r.arrived.UnixMilli(), time.Now().UnixMilli()
	raw := append([]byte{}, r.data...) // "" on the wire, never null
	var text any = struct {
		AttemptsMade           int    `json:"attemptsMade"`
		ArrivalTimestamp       int64  `json:"arrivalTimestamp"` // Unix milliseconds
		ErrorCode              string `json:"errorCode"`
		ErrorMessage           string `json:"errorMessage"`
		AttemptEndingTimestamp int64  `json:"attemptEndingTimestamp"` // Unix milliseconds
		RawData                []byte `json:"rawData"`
		LambdaARN              string `json:"lambdaArn,omitempty"`
	}{f.attempts, arrived, f.code, f.message, ended, raw, f.function}
	if f.table != nil {
		text = struct {
			AttemptsMade           int           `json:"attemptsMade"`
			ArrivalTimestamp       int64         `json:"arrivalTimestamp"` // Unix milliseconds
			LastErrorCode          string        `json:"lastErrorCode"`
			LastErrorMessage       string        `json:"lastErrorMessage"`
			AttemptEndingTimestamp int64         `json:"attemptEndingTimestamp"` // Unix milliseconds
			RawData                []byte        `json:"rawData"`
			SequenceNumber         string        `json:"sequenceNumber"`
			SubSequenceNumber      int64         `json:"subSequenceNumber"`
			DataCatalogTable       *catalogTable `json:"dataCatalogTable"`
		}{f.attempts, arrived, f.code, f.message, ended, raw, r.sequence, r.subSequence, f.table}
	}
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(text); err != nil {
		panic(fmt.Sprintf("firehose: encoding an error line of plain values: %v", err))
	}
	return line.Bytes()
}
