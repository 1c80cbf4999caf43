// Package kpltest packs records as the Kinesis Producer Library does. Only tests
// import it.
package kpltest

import (
	"crypto/md5" //nolint:gosec // the format's checksum, no protection

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/millrace-cdk/millrace/lambdas/kpl"
)

// Aggregate packs data into one record, all of one partition key.
func Aggregate(data ...string) []byte {
	records := make([]kpl.Record, len(data))
	for i, text := range data {
		records[i] = kpl.Record{PartitionKey: "key", Data: []byte(text)}
	}
	return Frame(Message(records))
}

// Frame puts a message between the magic number and its checksum.
func Frame(message []byte) []byte {
	sum := md5.Sum(message)
	return append(append([]byte("\xF3\x89\x9A\xC2"), message...), sum[:]...)
}

// Message writes records as the message in an aggregated record, each with keys of its own.
func Message(records []kpl.Record) (message []byte) {
	for _, r := range records {
		message = protowire.AppendString(protowire.AppendTag(message, 1, protowire.BytesType), r.PartitionKey)
		message = protowire.AppendString(protowire.AppendTag(message, 2, protowire.BytesType), r.ExplicitHashKey)
	}
	for i, r := range records {
		one := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(i))
		if r.ExplicitHashKey != "" {
			one = protowire.AppendVarint(protowire.AppendTag(one, 2, protowire.VarintType), uint64(i))
		}
		one = protowire.AppendBytes(protowire.AppendTag(one, 3, protowire.BytesType), r.Data)
		message = protowire.AppendBytes(protowire.AppendTag(message, 3, protowire.BytesType), one)
	}
	return message
}
