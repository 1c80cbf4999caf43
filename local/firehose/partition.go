package firehose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/itchyny/gojq"
)

// activePartitions is how many partitions may have something in their buffers:
// 500, a quota that AWS raises on request (developer guide, limits).
const activePartitions = 500

// partitioning is how records are told apart (developer guide, dynamic-partitioning).
type partitioning struct {
	limit int        // of active partitions
	query *gojq.Code // nil: no inline parsing
	split func([]byte) ([][]byte, error)
}

// read takes a processor that belongs to partitioning. AWS has jq 1.6; gojq's
// differences to jq are listed in its README.
func (p *partitioning) read(processor types.Processor) error {
	parameters := map[types.ProcessorParameterName]string{}
	for _, parameter := range processor.Parameters {
		parameters[parameter.ParameterName] = aws.ToString(parameter.ParameterValue)
	}
	if processor.Type == types.ProcessorTypeMetadataExtraction {
		text := parameters[types.ProcessorParameterNameMetadataExtractionQuery]
		query, err := gojq.Parse(text)
		if err != nil {
			return fmt.Errorf("metadata extraction query must be JQ, got %q: %w", text, err)
		}
		if p.query, err = gojq.Compile(query); err != nil {
			return fmt.Errorf("metadata extraction query must be JQ, got %q: %w", text, err)
		}
		return nil
	}
	switch kind := parameters[types.ProcessorParameterNameSubRecordType]; kind {
	case "JSON":
		p.split = splitJSON
	case "DELIMITED":
		encoded := parameters[types.ProcessorParameterNameDelimiter]
		delimiter, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(delimiter) == 0 {
			return fmt.Errorf("delimiter of sub-records must be base64, got %q", encoded)
		}
		p.split = func(data []byte) ([][]byte, error) {
			return bytes.Split(bytes.TrimSuffix(data, delimiter), delimiter), nil
		}
	default:
		return fmt.Errorf("sub-record type must be JSON or DELIMITED, got %q", kind)
	}
	return nil
}

// partitionFailure is the failure of a record whose partition cannot be told.
// DynamicPartitioning.MetadataExtractionFailed has been seen on AWS; no list of codes is documented.
func partitionFailure(code, message string) *failure {
	return &failure{code: "DynamicPartitioning." + code, message: message, attempts: 1}
}

// splitJSON takes JSON documents apart, one after the other or those of an array.
func splitJSON(data []byte) (documents [][]byte, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return documents, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		if document[0] != '[' {
			documents = append(documents, document)
			continue
		}
		var elements []json.RawMessage
		if err := json.Unmarshal(document, &elements); err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		for _, element := range elements {
			documents = append(documents, element)
		}
	}
}

// subRecords takes a record apart, if that is asked for.
func (p *partitioning) subRecords(r record) ([]record, *failure) {
	if p == nil || p.split == nil {
		return []record{r}, nil
	}
	parts, err := p.split(r.data)
	if err != nil {
		return nil, partitionFailure("RecordDeAggregationFailed", err.Error())
	}
	records := make([]record, len(parts))
	for i, part := range parts {
		records[i] = r
		records[i].data = part
	}
	return records, nil
}

// values returns the values of the prefix's partition keys for a record.
func (p *partitioning) values(keys []string, r record) ([]string, *failure) {
	if p == nil || len(keys) == 0 {
		return nil, nil
	}
	var fromRecord map[string]any
	if p.query != nil {
		var err error
		if fromRecord, err = p.extract(r.data); err != nil {
			return nil, partitionFailure("MetadataExtractionFailed", err.Error())
		}
	}
	values := make([]string, len(keys))
	for i, key := range keys {
		namespace, name, _ := strings.Cut(key, ":")
		if namespace == fromLambda {
			values[i] = r.lambdaKeys[name]
		} else {
			values[i] = scalar(fromRecord[name])
		}
		if values[i] == "" {
			return nil, partitionFailure("MetadataExtractionFailed", fmt.Sprintf("partition key %s is missing, null or empty", key))
		}
	}
	return values, nil
}

// extract runs the query.
func (p *partitioning) extract(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // an id beyond 2^53 stays what it is
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("non JSON record provided: %w", err)
	}
	result, _ := p.query.Run(document).Next()
	if err, failed := result.(error); failed {
		return nil, err
	}
	keys, isObject := result.(map[string]any)
	if !isObject {
		return nil, fmt.Errorf("the query must give an object, got %T", result)
	}
	return keys, nil
}

// scalar is a value as part of a prefix, "" if it cannot be one.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case nil, map[string]any, []any:
		return ""
	default: // a number or a truth value, which are written as in JSON
		text, err := gojq.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
}
