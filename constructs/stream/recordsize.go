package stream

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// RecordsFitLambda makes the synth of consumer fail if source's records may be
// larger than 1 MiB, for what reads them through a Lambda function: "the
// transformer", "the loader". A payload of Lambda has 6 MB, which 4.5 MB of records
// fill once they are in base64, and a transformer's answer carries them again. Of a
// source that was not made in this CDK app (imported, or nil) nothing is known, and nothing said.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func RecordsFitLambda(consumer constructs.Construct, source awskinesis.IStream, what string) {
	if source == nil {
		return
	}
	// Not now but at synth: the size may still be set on the stream's L1.
	consumer.Node().AddValidation(&fitsLambda{source, what})
}

type fitsLambda struct {
	source awskinesis.IStream
	what   string
}

// Validate is what CDK calls at synth.
func (f *fitsLambda) Validate() *[]*string {
	stream, made := f.source.Node().DefaultChild().(awskinesis.CfnStream)
	if !made {
		return &[]*string{}
	}
	size := stream.MaxRecordSizeInKiB()
	if size == nil || *awscdk.Token_IsUnresolved(size) || *size <= minMaxRecordSize {
		return &[]*string{}
	}
	return jsii.Strings(fmt.Sprintf(
		"max record size of %s must be at most %d KiB while %s reads it through a Lambda function, whose payload has 6 MB, got %g KiB",
		*f.source.Node().Path(), minMaxRecordSize, f.what, *size))
}
