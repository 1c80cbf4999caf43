// Package fault breaks one arrow of the deployed line on the laptop, by the AWS APIs and by
// SQL, with nothing in the product that knows of it; and mends it again.
package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/local/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// A Kind is what is broken.
type Kind string

// The kinds.
const (
	Database    Kind = "the database takes no connections: its limit is 0"
	Mapping     Kind = "the loader's event source mapping is disabled"
	Transformer Kind = "the lake's transformer has a configuration that is no JSON"
	Bucket      Kind = "the lake's delivery stream writes to a bucket that is not there"
	Key         Kind = "the API key is in no usage plan"
)

// Shuffled are all kinds, in an order that the seed decides.
func Shuffled(seed uint64) []Kind {
	all := []Kind{Database, Mapping, Transformer, Bucket, Key}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// Line is what is broken and mended.
type Line struct {
	AWS         aws.Config
	Names       line.Names
	DatabaseURL string
}

// Broken is what was broken, and what it was before.
type Broken struct {
	Kind Kind `json:"kind"`
	// Function is the transformer's ARN, Variables are those that it had, Versions the versions by its aliases; BucketARN is where its delivery wrote to.
	Function  string            `json:"function,omitempty"`
	Variables map[string]string `json:"variables,omitempty"`
	Versions  map[string]string `json:"versions,omitempty"`
	BucketARN string            `json:"bucket_arn,omitempty"`
}

// Look notes what there is, before anything is changed.
func Look(ctx context.Context, l Line, kind Kind) (Broken, error) {
	b := Broken{Kind: kind}
	switch kind {
	case Transformer:
		found, err := lambda.NewFromConfig(l.AWS).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(l.Names["TRANSFORMER"])})
		if err != nil {
			return b, fmt.Errorf("reading the transformer's configuration: %w", err)
		}
		b.Function = aws.ToString(found.FunctionArn)
		if found.Environment != nil {
			b.Variables = found.Environment.Variables
		}
		aliases, err := lambda.NewFromConfig(l.AWS).ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: aws.String(l.Names["TRANSFORMER"])})
		if err != nil {
			return b, fmt.Errorf("listing the transformer's aliases: %w", err)
		}
		b.Versions = map[string]string{}
		for _, alias := range aliases.Aliases {
			b.Versions[aws.ToString(alias.Name)] = aws.ToString(alias.FunctionVersion)
		}
	case Bucket:
		_, destination, err := delivery(ctx, l)
		if err != nil {
			return b, err
		}
		b.BucketARN = aws.ToString(destination.ExtendedS3DestinationDescription.BucketARN)
	case Database, Mapping, Key:
	}
	return b, nil
}

// Break breaks what b says.
func (b Broken) Break(ctx context.Context, l Line) error {
	switch b.Kind {
	case Database:
		return limit(ctx, l, 0)
	case Mapping:
		return enable(ctx, l, false)
	case Transformer:
		if err := Configure(ctx, l.AWS, l.Names["TRANSFORMER"], map[string]string{spec.Variable: "{"}); err != nil {
			return err
		}
		for alias := range b.Versions {
			if _, err := rollout.Force(ctx, lambda.NewFromConfig(l.AWS), b.Function+":"+alias); err != nil {
				return err
			}
		}
		return nil
	case Bucket:
		return redirect(ctx, l, b.BucketARN+"-gone")
	case Key:
		return admit(ctx, l, false)
	}
	return fmt.Errorf("unknown kind of fault %q", b.Kind)
}

// Mend is Break's opposite. What is mended already stays so.
func (b Broken) Mend(ctx context.Context, l Line) error {
	switch b.Kind {
	case Database:
		return limit(ctx, l, -1)
	case Mapping:
		return enable(ctx, l, true)
	case Transformer:
		if err := Configure(ctx, l.AWS, l.Names["TRANSFORMER"], b.Variables); err != nil {
			return err
		}
		for alias, version := range b.Versions {
			if err := rollout.Point(ctx, lambda.NewFromConfig(l.AWS), l.Names["TRANSFORMER"], alias, version); err != nil {
				return err
			}
		}
		return nil
	case Bucket:
		return redirect(ctx, l, b.BucketARN)
	case Key:
		return admit(ctx, l, true)
	}
	return fmt.Errorf("unknown kind of fault %q", b.Kind)
}

// Configure gives a function other variables.
func Configure(ctx context.Context, config aws.Config, function string, variables map[string]string) error {
	_, err := lambda.NewFromConfig(config).UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &function, Environment: &lambdatypes.Environment{Variables: variables},
	})
	if err != nil {
		return fmt.Errorf("configuring %s: %w", function, err)
	}
	return nil
}

func enable(ctx context.Context, l Line, enabled bool) error {
	_, err := lambda.NewFromConfig(l.AWS).UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{
		UUID: aws.String(l.Names["LOADER_MAPPING"]), Enabled: &enabled,
	})
	if err != nil {
		return fmt.Errorf("updating the loader's mapping: %w", err)
	}
	return nil
}

// admit puts the API key into its usage plan or takes it out. That a key can be disabled, the emulator does not know.
func admit(ctx context.Context, l Line, in bool) error {
	client, plan, key := apigateway.NewFromConfig(l.AWS), l.Names["USAGE_PLAN"], l.Names["API_KEY_ID"]
	var err error
	if in {
		var conflict *apitypes.ConflictException
		_, err = client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &key, KeyType: aws.String("API_KEY")})
		if errors.As(err, &conflict) {
			err = nil // it is in
		}
	} else {
		_, err = client.DeleteUsagePlanKey(ctx, &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &key})
	}
	if err != nil {
		return fmt.Errorf("changing the API key's usage plan: %w", err)
	}
	return nil
}

func delivery(ctx context.Context, l Line) (*firehosetypes.DeliveryStreamDescription, *firehosetypes.DestinationDescription, error) {
	found, err := firehose.NewFromConfig(l.AWS).DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String(l.Names["DELIVERY"])})
	if err != nil {
		return nil, nil, fmt.Errorf("describing the lake's delivery stream: %w", err)
	}
	d := found.DeliveryStreamDescription
	if len(d.Destinations) != 1 || d.Destinations[0].ExtendedS3DestinationDescription == nil {
		return nil, nil, errors.New("the lake's delivery stream does not write to S3")
	}
	return d, &d.Destinations[0], nil
}

func redirect(ctx context.Context, l Line, bucketARN string) error {
	d, destination, err := delivery(ctx, l)
	if err != nil {
		return err
	}
	_, err = firehose.NewFromConfig(l.AWS).UpdateDestination(ctx, &firehose.UpdateDestinationInput{
		DeliveryStreamName: d.DeliveryStreamName, CurrentDeliveryStreamVersionId: d.VersionId, DestinationId: destination.DestinationId,
		ExtendedS3DestinationUpdate: &firehosetypes.ExtendedS3DestinationUpdate{BucketARN: &bucketARN},
	})
	if err != nil {
		return fmt.Errorf("updating where the lake's delivery stream writes to: %w", err)
	}
	return nil
}

// limit is of new connections: who is in is sent away. The database "postgres" is another one, which still lets us in.
func limit(ctx context.Context, l Line, connections int) (err error) {
	config, err := pgx.ParseConfig(l.DatabaseURL)
	if err != nil {
		return fmt.Errorf("reading DATABASE_URL: %w", err)
	}
	name := config.Database
	config.Database = "postgres"
	db, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connecting to Postgres: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	if _, err := db.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", pgx.Identifier{name}.Sanitize(), connections)); err != nil {
		return fmt.Errorf("limiting connections: %w", err)
	}
	if connections == 0 {
		_, err = db.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	}
	return err
}
