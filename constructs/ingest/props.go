package ingest

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
)

const (
	// DefaultRateLimit is how many requests a second the API takes. An account's
	// quota for a region is 10,000 over all its APIs.
	DefaultRateLimit = 1000
	// DefaultBurstLimit is how many requests the API takes at once, above its
	// rate. An account's quota for a region is 5,000 over all its APIs.
	DefaultBurstLimit = 2000
	// DefaultLogRetention is how long the API's logs are kept.
	DefaultLogRetention = awslogs.RetentionDays_ONE_MONTH
)

// Auth is how a client shows who it is. There is no way to take events from just anyone.
type Auth int

const (
	// AuthIAM takes requests signed with AWS Signature Version 4 (service
	// execute-api) by a principal that may execute-api:Invoke the route:
	// see [IngestApi.GrantPost].
	AuthIAM Auth = iota
	// AuthAPIKey takes requests with a key in the header x-api-key. A key says
	// which client it is and how much it may send; it is no more than a shared secret.
	AuthAPIKey
)

// IngestApiProps configure an [IngestApi].
type IngestApiProps struct {
	// Stream receives every accepted event. Required. It must be in the region
	// and account of the API: the integration calls it by name.
	Stream awskinesis.IStream
	// Auth is how clients show who they are.
	//
	// Default: [AuthIAM].
	Auth Auth
	// RateLimit is how many requests a second are taken, over all clients and,
	// under [AuthAPIKey], of each key. What comes faster gets 429.
	//
	// Default: [DefaultRateLimit].
	RateLimit int
	// BurstLimit is how many requests are taken at once, above the rate.
	//
	// Default: [DefaultBurstLimit].
	BurstLimit int
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

// Validate reports all that is wrong with the props at once. It changes nothing.
func (p *IngestApiProps) Validate() error {
	if p == nil {
		p = &IngestApiProps{}
	}
	var errs []error
	if p.Stream == nil {
		errs = append(errs, errors.New("stream is required: pass the stream that events are written to"))
	}
	if p.Auth != AuthIAM && p.Auth != AuthAPIKey {
		errs = append(errs, fmt.Errorf("auth must be AuthIAM or AuthAPIKey, got %d", p.Auth))
	}
	if p.RateLimit < 0 {
		errs = append(errs, fmt.Errorf("rate limit must be at least 1 request a second, or 0 for the default of %d, got %d", DefaultRateLimit, p.RateLimit))
	}
	if p.BurstLimit < 0 {
		errs = append(errs, fmt.Errorf("burst limit must be at least 1 request, or 0 for the default of %d, got %d", DefaultBurstLimit, p.BurstLimit))
	}
	return errors.Join(errs...)
}

func (p *IngestApiProps) withDefaults() IngestApiProps {
	d := *p
	d.RateLimit = cmp.Or(d.RateLimit, DefaultRateLimit)
	d.BurstLimit = cmp.Or(d.BurstLimit, DefaultBurstLimit)
	d.LogRetention = cmp.Or(d.LogRetention, DefaultLogRetention)
	d.RemovalPolicy = cmp.Or(d.RemovalPolicy, awscdk.RemovalPolicy_RETAIN)
	return d
}
