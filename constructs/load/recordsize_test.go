package load_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestAStreamWithRecordsTooLargeForTheLoaderFailsTheSynth(t *testing.T) {
	g, stack := newStacks()
	large := stream.NewStreamingCore(g.stack, "Large", &stream.StreamingCoreProps{MaxRecordSize: awscdk.Size_Mebibytes(jsii.Number(2))})
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: large.Stream, Database: g.db})
	assert.Contains(t, cdktest.Panics(t, func() { cdktest.Template(stack) }),
		"[Test/Loader] max record size of Ground/Large/Stream must be at most 1024 KiB while the loader reads it")
}
