// Package kpl takes apart the records into which the Kinesis Producer Library,
// and whoever writes its format, packs several
// (https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md).
// Lambda's event source mappings and Firehose's sources hand them on as they are.
package kpl

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the format's checksum, no protection
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// magic is what an aggregated record begins with.
const magic = "\xF3\x89\x9A\xC2"

// Record is one of the records that were packed into one. Its place in the
// result of [Split] is its sub-sequence number.
type Record struct {
	PartitionKey string
	// ExplicitHashKey overrides the hash of the partition key. Empty: it does not.
	ExplicitHashKey string
	// Data is a part of what was split, not a copy.
	Data []byte
}

// Split returns the records that are packed into data, or false if data is a
// record as it is. As in Amazon's own client library (KCL) it is that too
// if the checksum is another or the message cannot be read
// (https://github.com/awslabs/amazon-kinesis-client, AggregatorUtil). Where a record
// points to a key that is not in the tables, the KCL logs and drops it and those after
// it; here data is a record as it is, so that nothing is dropped.
//
// The KCL also drops records whose hash key is not the shard's, which a
// reshard leaves behind and the KPL sends again. What Lambda passes does not say what a shard's range is.
func Split(data []byte) (records []Record, aggregated bool) {
	message, aggregated := bytes.CutPrefix(data, []byte(magic))
	if !aggregated || len(message) <= md5.Size {
		return nil, false
	}
	message, checksum := message[:len(message)-md5.Size], message[len(message)-md5.Size:]
	if md5.Sum(message) != [md5.Size]byte(checksum) {
		return nil, false
	}
	return parse(message)
}

// The numbers of the fields in the format's two messages.
const (
	tablePartitionKeys    = 1
	tableExplicitHashKeys = 2
	tableRecords          = 3

	recordPartitionKey    = 1
	recordExplicitHashKey = 2
	recordData            = 3
	recordTags            = 4
)

// parse reads the message AggregatedRecord.
func parse(message []byte) (records []Record, ok bool) {
	var partitionKeys, hashKeys []string
	var packed [][]byte
	ok = fields(message, func(number protowire.Number, value field) bool {
		switch number {
		case tablePartitionKeys:
			partitionKeys = append(partitionKeys, string(value.bytes))
		case tableExplicitHashKeys:
			hashKeys = append(hashKeys, string(value.bytes))
		case tableRecords:
			packed = append(packed, value.bytes)
		default:
			return true
		}
		return value.kind == protowire.BytesType && (number == tableRecords || utf8.Valid(value.bytes))
	})
	for i := 0; ok && i < len(packed); i++ {
		var record Record
		record, ok = parseRecord(packed[i], partitionKeys, hashKeys)
		records = append(records, record)
	}
	if !ok {
		return nil, false
	}
	return records, true
}

// parseRecord reads the message Record, whose partition key and data are required.
func parseRecord(message []byte, partitionKeys, hashKeys []string) (r Record, ok bool) {
	hasKey, hasData := false, false
	ok = fields(message, func(number protowire.Number, value field) bool {
		switch number {
		case recordPartitionKey:
			hasKey = value.kind == protowire.VarintType && value.number < uint64(len(partitionKeys))
			if hasKey {
				r.PartitionKey = partitionKeys[value.number]
			}
			return hasKey
		case recordExplicitHashKey:
			known := value.kind == protowire.VarintType && value.number < uint64(len(hashKeys))
			if known {
				r.ExplicitHashKey = hashKeys[value.number]
			}
			return known
		case recordData:
			hasData = value.kind == protowire.BytesType
			r.Data = value.bytes
			return hasData
		case recordTags:
			return value.kind == protowire.BytesType
		}
		return true
	})
	return r, ok && hasKey && hasData
}

// field is a value of a message: a number or bytes, by its kind.
type field struct {
	kind   protowire.Type
	number uint64
	bytes  []byte
}

// fields passes the fields of a message to take until it returns false. It
// tells whether all of them could be read and were taken.
func fields(message []byte, take func(protowire.Number, field) bool) bool {
	for len(message) > 0 {
		number, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return false
		}
		message = message[length:]
		value := field{kind: kind}
		switch kind {
		case protowire.VarintType:
			value.number, length = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			value.bytes, length = protowire.ConsumeBytes(message)
		default:
			length = protowire.ConsumeFieldValue(number, kind, message)
		}
		if length < 0 || !take(number, value) {
			return false
		}
		message = message[length:]
	}
	return true
}
