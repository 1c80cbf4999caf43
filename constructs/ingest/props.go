package ingest

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
)

const (
	// DefaultPath is where the one route of an API without [IngestApiProps].Routes is.
	DefaultPath = "/events"
	// DefaultRateLimit is how many requests a second the API takes. An account's
	// quota for a region is 10,000 over all its APIs.
	DefaultRateLimit = 1000
	// DefaultBurstLimit is how many requests the API takes at once, above its
	// rate. An account's quota for a region is 5,000 over all its APIs.
	DefaultBurstLimit = 2000
	// DefaultLogRetention is how long the API's logs are kept.
	DefaultLogRetention = awslogs.RetentionDays_ONE_MONTH
)

// Auth is how a client shows who it is.
type Auth int

const (
	// AuthIAM takes requests signed with AWS Signature Version 4 (service
	// execute-api) by a principal that may execute-api:Invoke the route:
	// see [IngestApi.GrantPost].
	AuthIAM Auth = iota
	// AuthAPIKey takes requests with a key in the header x-api-key. A key says
	// which client it is and how much it may send; it is no more than a shared secret.
	AuthAPIKey
	// AuthCognito takes requests with a token of one of [IngestApiProps].UserPools
	// in the header Authorization.
	AuthCognito
	// AuthAuthorizer asks [IngestApiProps].Authorizer.
	AuthAuthorizer
	// AuthNone takes events from anyone on the network that reaches the API.
	// Put it behind a resource policy, mutual TLS or a private endpoint.
	AuthNone
)

// IngestApiProps configure an [IngestApi].
type IngestApiProps struct {
	// Stream receives the events of every route that has no stream of its own.
	// Required unless each route has one. It must be in the region and account of
	// the API: the integration calls it by name.
	Stream awskinesis.IStream
	// Routes are where events are posted, each route for one stream. A client can
	// not name a stream: the routes are all there is.
	//
	// Default: one route at [DefaultPath].
	Routes []Route
	// HealthPath answers GET with 200 and {"status":"ok"} without a call to the
	// stream and without authentication, for load balancers and probes. Such as "/health".
	//
	// Default: there is none.
	HealthPath string

	// Auth is how clients show who they are.
	//
	// Default: [AuthIAM].
	Auth Auth
	// Clients have a key each, with a usage plan each. Only with [AuthAPIKey].
	//
	// Default: one key, limited like the API.
	Clients []Client
	// UserPools issue the tokens that [AuthCognito] takes. Required with it.
	UserPools []awscognito.IUserPool
	// Authorizer decides with [AuthAuthorizer]. Required with it.
	Authorizer awsapigateway.IAuthorizer
	// AuthorizationScopes are OAuth scopes, of which an access token must have one. Only with
	// [AuthCognito] and an Authorizer of Cognito's.
	//
	// Default: an identity token is taken, whatever its scopes.
	AuthorizationScopes []string

	// Policy is the API's resource policy.
	//
	// Default: none; what Auth asks for decides.
	Policy awsiam.PolicyDocument
	// Endpoint is the kind of endpoint, such as a private one with its VPC endpoints.
	//
	// Default: regional.
	Endpoint *awsapigateway.EndpointConfiguration
	// Domain is a domain of yours, with its certificate and, with MTLS, the
	// certificates of its clients. The API's own address is then turned off, since it
	// would pass by mutual TLS.
	//
	// Default: the API's own address.
	Domain *awsapigateway.DomainNameOptions
	// Waf is the web application firewall before the API.
	//
	// Default: none. AWS bills a web ACL by the month and by request.
	Waf *Waf

	// RateLimit is how many requests a second are taken by each method, over all
	// clients and, under [AuthAPIKey], of each key. What comes faster gets 429.
	//
	// Default: [DefaultRateLimit].
	RateLimit int
	// BurstLimit is how many requests are taken at once, above the rate.
	//
	// Default: [DefaultBurstLimit].
	BurstLimit int
	// Cors lets pages of other origins post. Its headers are in the errors too.
	//
	// Default: browsers of other origins are refused.
	Cors *awsapigateway.CorsOptions
	// MinCompressionSize is from which size on answers are compressed for clients that
	// ask for it, 0 bytes to 10 MiB. Requests may be compressed without it too.
	//
	// Default: no answer is compressed.
	MinCompressionSize awscdk.Size

	// SkipTracing leaves out AWS X-Ray.
	//
	// Default: false, requests are traced by X-Ray's sampling rules.
	SkipTracing bool
	// SkipAlarms leaves out the alarms that [IngestApi.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
	// LogRetention is how long access and execution logs are kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy is what becomes of the logs when the API is deleted.
	//
	// Default: awscdk.RemovalPolicy_RETAIN.
	RemovalPolicy awscdk.RemovalPolicy
	// SkipAccount says that the account has the role by which API Gateway writes
	// logs already in this region (AWS::ApiGateway::Account, of which there is
	// one a region and account). Without that role a stage with logs fails to deploy.
	//
	// Default: the stack sets it, once for all its APIs, and leaves it there when deleted.
	SkipAccount bool
}

// Route takes the events of one stream: POST Path takes one, POST BatchPath up to 500.
type Route struct {
	// Path is the resource of single events, such as "/clicks". Required.
	Path string
	// BatchPath is the resource of batches.
	//
	// Default: Path + "/batch".
	BatchPath string
	// SkipBatch leaves the resource of batches out.
	//
	// Default: false.
	SkipBatch bool
	// Stream receives the events.
	//
	// Default: [IngestApiProps].Stream.
	Stream awskinesis.IStream
	// PartitionKey says where an event's partition key is. Events of one key go to one
	// shard, in order. Of a value longer than 256 characters the first 256 count.
	//
	// Default: the request id (of a batch: with the event's index), which spreads events evenly.
	PartitionKey KeySource
	// ExplicitHashKey says where an event's explicit hash key is: a decimal number
	// below 2^128, which decides on the shard in place of the partition key.
	//
	// Default: none.
	ExplicitHashKey KeySource
	// Schema is the JSON Schema (draft 4, the one that API Gateway has) of one event.
	//
	// Default: a JSON object with at least one member.
	Schema map[string]any
	// RateLimit and BurstLimit are of this route's methods.
	//
	// Default: the API's.
	RateLimit, BurstLimit int
}

// KeySource says where in a request a key stands. The first that gives one counts:
// the JSON path, the header.
type KeySource struct {
	// JSONPath leads to a member of the event, in dot notation: "$.device_id",
	// "$.user.id". A string, a number or a boolean is a key; anything else is none.
	JSONPath string
	// Header is a request header's name; in a batch it counts for every event.
	Header string
}

// Client is a holder of an API key, with a usage plan of its own.
type Client struct {
	// Name tells clients apart: it is part of the construct's ids. The name Default
	// keeps the key that an API without named clients has. Required.
	Name string
	// RateLimit and BurstLimit are this client's.
	//
	// Default: the API's.
	RateLimit, BurstLimit int
	// Quota is how many requests this client may send in a QuotaPeriod.
	//
	// Default: no quota.
	Quota int
	// QuotaPeriod is what Quota counts over.
	//
	// Default: awsapigateway.Period_MONTH where there is a quota.
	QuotaPeriod awsapigateway.Period
}

// Waf configures the web ACL before an API. AWS's managed groups (common rules, known
// bad inputs, IP reputation) are in it, with those rules that look at bodies on Count:
// they block bodies over 8 KB and ordinary events. So is the rule that asks for a User-Agent.
type Waf struct {
	// RateLimit is how many requests one address may send in five minutes, 10 to 2,000,000,000.
	//
	// Default: [DefaultWafRateLimit].
	RateLimit int
	// MaxBodySize is the largest body that is let through, up to the 10 MiB that API Gateway takes.
	//
	// Default: [DefaultWafMaxBodySize].
	MaxBodySize awscdk.Size
}

func (p *IngestApiProps) withDefaults() IngestApiProps {
	d := *p
	d.RateLimit = cmp.Or(d.RateLimit, DefaultRateLimit)
	d.BurstLimit = cmp.Or(d.BurstLimit, DefaultBurstLimit)
	d.LogRetention = cmp.Or(d.LogRetention, DefaultLogRetention)
	d.RemovalPolicy = cmp.Or(d.RemovalPolicy, awscdk.RemovalPolicy_RETAIN)
	d.Routes = nil
	for _, r := range p.routes() {
		r.BatchPath = cmp.Or(r.BatchPath, r.Path+"/batch")
		r.RateLimit = cmp.Or(r.RateLimit, d.RateLimit)
		r.BurstLimit = cmp.Or(r.BurstLimit, d.BurstLimit)
		if r.Stream == nil {
			r.Stream = d.Stream
		}
		d.Routes = append(d.Routes, r)
	}
	d.Clients = nil
	for _, c := range p.clients() {
		c.RateLimit = cmp.Or(c.RateLimit, d.RateLimit)
		c.BurstLimit = cmp.Or(c.BurstLimit, d.BurstLimit)
		if c.Quota > 0 {
			c.QuotaPeriod = cmp.Or(c.QuotaPeriod, awsapigateway.Period_MONTH)
		}
		d.Clients = append(d.Clients, c)
	}
	return d
}

// routes are the routes that were asked for.
func (p *IngestApiProps) routes() []Route {
	if len(p.Routes) == 0 {
		return []Route{{Path: DefaultPath}}
	}
	return p.Routes
}

// clients are the holders of keys that were asked for.
func (p *IngestApiProps) clients() []Client {
	if p.Auth == AuthAPIKey && len(p.Clients) == 0 {
		return []Client{{Name: "Default"}}
	}
	return p.Clients
}
