package ingest_test

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
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
		ingest.NewIngestApi(stack, "Ingest", everything(stack))
		cdktest.Golden(t, stack, "everything")
	})
	t.Run("bring-your-own", func(t *testing.T) {
		stack := cdktest.NewStack()
		ingest.NewIngestApi(stack, "Ingest", bringYourOwn(stack))
		cdktest.Golden(t, stack, "bring-your-own")
	})
}

// everything is all that can be on at once.
func everything(stack awscdk.Stack) *ingest.IngestApiProps {
	clicks := awskinesis.NewStream(stack, jsii.String("Clicks"), &awskinesis.StreamProps{
		Encryption:    awskinesis.StreamEncryption_KMS,
		EncryptionKey: awskms.NewKey(stack, jsii.String("Key"), nil),
	})
	return &ingest.IngestApiProps{
		Routes: []ingest.Route{
			{
				Path: "/clicks", BatchPath: "/many-clicks", Stream: clicks,
				PartitionKey:    ingest.KeySource{JSONPath: "$.user.id", Header: "x-user"},
				ExplicitHashKey: ingest.KeySource{Header: "x-hash"},
				Schema:          map[string]any{"type": "object", "required": []string{"user"}},
				RateLimit:       5, BurstLimit: 7,
			},
			{Path: "/readings", SkipBatch: true, Stream: theirStream(stack, "readings")},
		},
		HealthPath: "/health",
		Auth:       ingest.AuthAPIKey,
		Clients: []ingest.Client{
			{Name: "Default"},
			{Name: "acme", RateLimit: 2, BurstLimit: 4, Quota: 1000, QuotaPeriod: awsapigateway.Period_WEEK},
		},
		Policy: anyone(),
		Domain: &awsapigateway.DomainNameOptions{
			DomainName:  jsii.String("events.example.com"),
			Certificate: certificate(stack),
			Mtls: &awsapigateway.MTLSConfig{
				Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Trust"), jsii.String("trust")), Key: jsii.String("clients.pem"),
			},
		},
		Waf:       &ingest.Waf{RateLimit: 1000, MaxBodySize: awscdk.Size_Mebibytes(jsii.Number(1))},
		RateLimit: 50, BurstLimit: 75,
		Cors:               &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings("https://app.example.com")},
		MinCompressionSize: awscdk.Size_Kibibytes(jsii.Number(1)),
		AlarmActions:       []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(awssns.NewTopic(stack, jsii.String("Topic"), nil))},
		LogRetention:       awslogs.RetentionDays_ONE_YEAR,
		RemovalPolicy:      awscdk.RemovalPolicy_DESTROY,
		SkipAccount:        true,
	}
}

// bringYourOwn is an API of which all that can be is someone else's.
func bringYourOwn(stack awscdk.Stack) *ingest.IngestApiProps {
	return &ingest.IngestApiProps{
		Stream:       theirStream(stack, "events"),
		Auth:         ingest.AuthAuthorizer,
		Authorizer:   theirAuthorizer(stack),
		Policy:       anyone(),
		Endpoint:     privateEndpoint(stack),
		AlarmActions: []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String("Topic"), jsii.String("arn:aws:sns:eu-west-1:111122223333:oncall")))},
		SkipTracing:  true,
		SkipAccount:  true,
	}
}

func anyone() awsiam.PolicyDocument {
	return awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
			Actions:    jsii.Strings("execute-api:Invoke"),
			Resources:  jsii.Strings("execute-api:/*"),
		}),
	}})
}

func certificate(stack awscdk.Stack) awscertificatemanager.ICertificate {
	return awscertificatemanager.Certificate_FromCertificateArn(stack, jsii.String("Certificate"), jsii.String("arn:aws:acm:eu-west-1:111122223333:certificate/1"))
}

func privateEndpoint(stack awscdk.Stack) *awsapigateway.EndpointConfiguration {
	return &awsapigateway.EndpointConfiguration{
		Types: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_PRIVATE},
		VpcEndpoints: &[]awsec2.IVpcEndpoint{
			awsec2.InterfaceVpcEndpoint_FromInterfaceVpcEndpointAttributes(stack, jsii.String("VpcEndpoint"), &awsec2.InterfaceVpcEndpointAttributes{
				VpcEndpointId: jsii.String("vpce-1"), Port: jsii.Number(443),
			}),
		},
	}
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
	t.Run("two routes to one stream, and a stream of the same key", func(t *testing.T) {
		stack := cdktest.NewStack()
		key := awskms.NewKey(stack, jsii.String("Key"), nil)
		encrypted := func(id string) awskinesis.IStream {
			return awskinesis.NewStream(stack, &id, &awskinesis.StreamProps{Encryption: awskinesis.StreamEncryption_KMS, EncryptionKey: key})
		}
		one, two := encrypted("One"), encrypted("Two")
		ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: one, SkipAccount: true, Routes: []ingest.Route{
			{Path: "/a"}, {Path: "/b"}, {Path: "/c", Stream: two},
		}})

		var kinesis, kms []any
		for _, statement := range only[policy](t, stack, "AWS::IAM::Policy").Properties.PolicyDocument.Statement {
			if statement.Action == "kms:GenerateDataKey" {
				kms = append(kms, statement.Resource)
				continue
			}
			assert.Equal(t, []any{"kinesis:PutRecord", "kinesis:PutRecords"}, statement.Action)
			kinesis = append(kinesis, statement.Resource)
		}
		assert.ElementsMatch(t, []any{stack.Resolve(one.StreamArn()), stack.Resolve(two.StreamArn())}, kinesis)
		assert.Equal(t, []any{stack.Resolve(key.KeyArn())}, kms)
	})
	t.Run("a stream without a key of its own", func(t *testing.T) {
		stack, _ := newAPI(ingest.IngestApiProps{SkipAccount: true})

		statements := only[policy](t, stack, "AWS::IAM::Policy").Properties.PolicyDocument.Statement
		require.Len(t, statements, 1)
		assert.Equal(t, []any{"kinesis:PutRecord", "kinesis:PutRecords"}, statements[0].Action)
		assert.Equal(t, "arn:aws:kinesis:eu-west-1:111122223333:stream/events", statements[0].Resource)
	})
}

func TestAGranteeMayPostToEveryRoute(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{SkipAccount: true, Routes: []ingest.Route{{Path: "/clicks"}, {Path: "/readings", SkipBatch: true}}})
	user := awsiam.NewUser(stack, jsii.String("Client"), nil)

	api.GrantPost(user).AssertSuccess()

	text, err := json.Marshal(find[policy](t, stack, "AWS::IAM::Policy"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"Action":"execute-api:Invoke"`)
	for _, path := range []string{"/clicks", "/clicks/batch", "/readings"} {
		assert.Contains(t, string(text), `"/live/POST`+path+`"`)
	}
	assert.NotContains(t, string(text), "/live/POST/readings/batch")
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
