package ingest_test

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// theirStream is a stream from elsewhere: its name is plain text, and so are the
// mapping templates that name it.
func theirStream(stack awscdk.Stack, name string) awskinesis.IStream {
	return awskinesis.Stream_FromStreamArn(stack, &name, jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/"+name))
}

// newAPI returns an IngestApi in a stack of its own, writing to a stream named "events".
func newAPI(props ingest.IngestApiProps) (awscdk.Stack, *ingest.IngestApi) {
	stack := cdktest.NewStack()
	if props.Stream == nil {
		props.Stream = theirStream(stack, "events")
	}
	return stack, ingest.NewIngestApi(stack, "Ingest", &props)
}

// find returns the resources of a type by logical id, as T.
func find[T any](t *testing.T, stack awscdk.Stack, kind string) map[string]T {
	t.Helper()
	text, err := json.Marshal(cdktest.Template(stack).FindResources(&kind, nil))
	require.NoError(t, err)
	var resources map[string]T
	require.NoError(t, json.Unmarshal(text, &resources))
	return resources
}

// only returns the one resource of a type.
func only[T any](t *testing.T, stack awscdk.Stack, kind string) (resource T) {
	t.Helper()
	resources := find[T](t, stack, kind)
	require.Len(t, resources, 1, kind)
	for _, resource = range resources {
	}
	return resource
}

func TestTemplates(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack, _ := newAPI(ingest.IngestApiProps{})
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("api-key", func(t *testing.T) {
		stack, _ := newAPI(ingest.IngestApiProps{Auth: ingest.AuthAPIKey})
		cdktest.Golden(t, stack, "api-key")
	})
	t.Run("everything", func(t *testing.T) {
		stack := cdktest.NewStack()
		ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
			Stream: awskinesis.NewStream(stack, jsii.String("Stream"), &awskinesis.StreamProps{
				Encryption:    awskinesis.StreamEncryption_KMS,
				EncryptionKey: awskms.NewKey(stack, jsii.String("Key"), nil),
			}),
			Auth:          ingest.AuthAPIKey,
			RateLimit:     50,
			BurstLimit:    75,
			LogRetention:  awslogs.RetentionDays_ONE_YEAR,
			RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
			SkipAccount:   true,
		})
		cdktest.Golden(t, stack, "everything")
	})
}

func TestInvalidPropsAreReportedAllAtOnce(t *testing.T) {
	props := &ingest.IngestApiProps{Auth: 7, RateLimit: -1, BurstLimit: -2}

	err := props.Validate()

	require.Error(t, err)
	for _, want := range []string{"stream is required", "auth must be AuthIAM or AuthAPIKey, got 7", "got -1", "got -2"} {
		assert.ErrorContains(t, err, want)
	}
	message := cdktest.Panics(t, func() { ingest.NewIngestApi(cdktest.NewStack(), "Ingest", props) })
	assert.Equal(t, "ingest: "+err.Error(), message)
	assert.Contains(t, cdktest.Panics(t, func() { ingest.NewIngestApi(cdktest.NewStack(), "Ingest", nil) }), "ingest: stream is required")
}

func TestPropsAreNotChanged(t *testing.T) {
	stack := cdktest.NewStack()
	props := ingest.IngestApiProps{Stream: theirStream(stack, "events")}
	before := props
	ingest.NewIngestApi(stack, "Ingest", &props)
	assert.Equal(t, before, props)
}

type policy struct {
	Properties struct {
		PolicyDocument struct {
			Statement []struct {
				Action   any
				Effect   string
				Resource any
			}
		}
	}
}

func TestTheRoleCanWriteToTheStreamAndNothingElse(t *testing.T) {
	t.Run("an encrypted stream", func(t *testing.T) {
		stack := cdktest.NewStack()
		stream := awskinesis.NewStream(stack, jsii.String("Stream"), &awskinesis.StreamProps{
			Encryption:    awskinesis.StreamEncryption_KMS,
			EncryptionKey: awskms.NewKey(stack, jsii.String("Key"), nil),
		})
		ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: stream, SkipAccount: true})

		statements := only[policy](t, stack, "AWS::IAM::Policy").Properties.PolicyDocument.Statement
		require.Len(t, statements, 2)
		assert.Equal(t, []any{"kinesis:PutRecord", "kinesis:PutRecords"}, statements[0].Action)
		assert.Equal(t, stack.Resolve(stream.StreamArn()), statements[0].Resource)
		assert.Equal(t, "kms:GenerateDataKey", statements[1].Action)
		assert.Equal(t, stack.Resolve(stream.EncryptionKey().KeyArn()), statements[1].Resource)
	})
	t.Run("a stream without a key of its own", func(t *testing.T) {
		stack, _ := newAPI(ingest.IngestApiProps{SkipAccount: true})

		statements := only[policy](t, stack, "AWS::IAM::Policy").Properties.PolicyDocument.Statement
		require.Len(t, statements, 1)
		assert.Equal(t, []any{"kinesis:PutRecord", "kinesis:PutRecords"}, statements[0].Action)
		assert.Equal(t, "arn:aws:kinesis:eu-west-1:111122223333:stream/events", statements[0].Resource)
	})
}

func TestAGranteeMayPostToBothRoutes(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{SkipAccount: true})
	user := awsiam.NewUser(stack, jsii.String("Client"), nil)

	api.GrantPost(user).AssertSuccess()

	text, err := json.Marshal(find[policy](t, stack, "AWS::IAM::Policy"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"Action":"execute-api:Invoke"`)
	assert.Contains(t, string(text), `"/live/POST/events"`)
	assert.Contains(t, string(text), `"/live/POST/events/batch"`)
}

type deletable struct {
	DeletionPolicy      string
	UpdateReplacePolicy string
	DependsOn           []string
	Properties          map[string]any
}

func TestTwoInstancesStandInOneStackAndShareOneAccount(t *testing.T) {
	stack := cdktest.NewStack()
	stream := theirStream(stack, "events")
	for _, id := range []string{"One", "Two"} {
		ingest.NewIngestApi(stack, id, &ingest.IngestApiProps{Stream: stream, Auth: ingest.AuthAPIKey, RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	}

	assert.Len(t, find[any](t, stack, "AWS::ApiGateway::RestApi"), 2)
	for id, account := range find[deletable](t, stack, "AWS::ApiGateway::Account") {
		for _, stage := range find[deletable](t, stack, "AWS::ApiGateway::Stage") {
			assert.Contains(t, stage.DependsOn, id, "a stage with logs fails to deploy without the account's log role")
		}
		assert.Equal(t, "Retain", account.DeletionPolicy, "other stacks' APIs live by it")
		assert.Equal(t, "Retain", account.UpdateReplacePolicy)
	}
	assert.Len(t, find[any](t, stack, "AWS::ApiGateway::Account"), 1)
	retained := 0
	for _, role := range find[deletable](t, stack, "AWS::IAM::Role") {
		if role.DeletionPolicy == "Retain" {
			retained++
		}
	}
	assert.Equal(t, 1, retained, "the account's role is retained with it")
}

func TestTheAccountIsLeftAloneWhereItHasItsRole(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{SkipAccount: true})
	assert.Empty(t, find[any](t, stack, "AWS::ApiGateway::Account"))
}

func TestItIsAConstruct(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})

	queue := awssqs.NewQueue(api, jsii.String("Queue"), nil)
	queue.Node().AddDependency(api)
	awscdk.Tags_Of(api).Add(jsii.String("stage"), jsii.String("ingest"), nil)

	assert.Equal(t, "Test/Ingest/Queue", *queue.Node().Path())
	assert.Same(t, api, stack.Node().FindChild(jsii.String("Ingest")))
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::RestApi"), map[string]any{
		"Tags": []any{map[string]any{"Key": "stage", "Value": "ingest"}},
	})
}

func TestItsURLNamesTheStage(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	text, err := json.Marshal(stack.Resolve(api.URL()))
	require.NoError(t, err)
	assert.Contains(t, string(text), ".execute-api.")
	assert.Contains(t, string(text), ingest.StageName)
}
