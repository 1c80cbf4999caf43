package demo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/millrace-cdk/millrace/local/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// A Fault breaks one arrow of the deployed line before the demo posts, by the AWS
// APIs and with nothing in the product that knows of it. A demo that cannot fail shows nothing.
type Fault string

// The faults.
const (
	NoFault Fault = "none"
	// LoaderFault takes the loader's spec away: the function fails at every start.
	LoaderFault Fault = "loader"
	// DeliveryFault deletes the delivery stream.
	DeliveryFault Fault = "delivery"
)

func (d *demo) inject(ctx context.Context) error {
	switch d.Fault {
	case NoFault:
		return nil
	case LoaderFault:
		return d.breakLoader(ctx)
	case DeliveryFault:
		return d.deleteDelivery(ctx)
	}
	return fmt.Errorf("unknown fault %q: %s, %s or %s", d.Fault, NoFault, LoaderFault, DeliveryFault)
}

func (d *demo) breakLoader(ctx context.Context) error {
	client := lambda.NewFromConfig(d.AWS)
	mappings, err := client.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{})
	if err != nil {
		return fmt.Errorf("looking for the loader: %w", err)
	}
	if len(mappings.EventSourceMappings) != 1 {
		return fmt.Errorf("looking for the loader: %d event source mappings are deployed, expected 1", len(mappings.EventSourceMappings))
	}
	arn := aws.ToString(mappings.EventSourceMappings[0].FunctionArn)
	name, _ := rollout.Split(arn)
	_, err = client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name,
		Environment:  &lambdatypes.Environment{Variables: map[string]string{spec.Variable: ""}},
	})
	if err != nil {
		return fmt.Errorf("breaking %s: %w", name, err)
	}
	if _, err := rollout.Force(ctx, client, arn); err != nil { // no hook would let it through
		return err
	}
	fmt.Fprintf(d.Out, "fault: took the configuration of %s away: it fails at every start\n", name)
	return nil
}

func (d *demo) deleteDelivery(ctx context.Context) error {
	client := firehose.NewFromConfig(d.AWS)
	streams, err := client.ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{})
	if err != nil {
		return fmt.Errorf("looking for the delivery stream: %w", err)
	}
	for _, name := range streams.DeliveryStreamNames {
		if _, err := client.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &name}); err != nil {
			return fmt.Errorf("deleting %s: %w", name, err)
		}
		fmt.Fprintf(d.Out, "fault: deleted the delivery stream %s\n", name)
	}
	return nil
}
