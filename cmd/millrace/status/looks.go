package status

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/jackc/pgx/v5"
)

func (l *looker) health(ctx context.Context) []Check {
	name := "GET " + l.Health
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(l.APIURL, "/")+l.Health, nil)
	if err != nil {
		return unknown(ingest, name, err)
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return one(ingest, name, false, err.Error(), "ingest-requestdrop")
	}
	defer response.Body.Close()
	return one(ingest, name, response.StatusCode == http.StatusOK, fmt.Sprintf("%s in %d ms", response.Status, time.Since(began).Milliseconds()), "ingest-servererrors")
}

func (l *looker) key(ctx context.Context) []Check {
	id := l.Names["API_KEY_ID"]
	if id == "" {
		return nil // clients sign
	}
	key, err := l.gateway.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: &id})
	if missing(err) {
		return one(ingest, "API key", false, id+" is deleted", "ingest-clienterrors")
	}
	if err != nil {
		return unknown(ingest, "API key", err)
	}
	if !key.Enabled {
		return one(ingest, "API key", false, id+" is disabled", "ingest-clienterrors")
	}
	plans := apigateway.NewGetUsagePlansPaginator(l.gateway, &apigateway.GetUsagePlansInput{})
	for plans.HasMorePages() {
		page, err := plans.NextPage(ctx)
		if err != nil {
			return unknown(ingest, "API key", err)
		}
		for _, plan := range page.Items {
			if !l.covers(plan) {
				continue
			}
			// The emulator's GetUsagePlans does not look at its KeyId.
			_, err := l.gateway.GetUsagePlanKey(ctx, &apigateway.GetUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: &id})
			if err == nil {
				return one(ingest, "API key", true, id+" is enabled, in plan "+aws.ToString(plan.Id), "")
			}
			if !missing(err) {
				return unknown(ingest, "API key", err)
			}
		}
	}
	return one(ingest, "API key", false, id+" is in no usage plan of the API", "ingest-clienterrors")
}

// covers says whether a usage plan is for the line's API.
func (l *looker) covers(plan apitypes.UsagePlan) bool {
	return slices.ContainsFunc(plan.ApiStages, func(s apitypes.ApiStage) bool { return aws.ToString(s.ApiId) == l.Names["API_ID"] })
}

func (l *looker) stream(ctx context.Context) []Check {
	name := l.Names["STREAM_NAME"]
	found, err := l.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	if missing(err) {
		return one(stream, "stream", false, name+" is deleted", "ingest-servererrors")
	}
	if err != nil {
		return unknown(stream, "stream", err)
	}
	s := found.StreamDescriptionSummary
	serves := s.StreamStatus == kinesistypes.StreamStatusActive || s.StreamStatus == kinesistypes.StreamStatusUpdating
	return one(stream, "stream", serves, fmt.Sprintf("%s, %d shards, keeps %d h", s.StreamStatus, aws.ToInt32(s.OpenShardCount), aws.ToInt32(s.RetentionPeriodHours)), "ingest-servererrors")
}

// delivered looks at a delivery stream, where it writes to, what it put aside, and its transformer.
func (l *looker) delivered(ctx context.Context, stage, delivery, transformer string) []Check {
	return l.look(ctx, func(ctx context.Context) []Check { return l.delivery(ctx, stage, l.Names[delivery]) }, l.function(stage, transformer))
}

func (l *looker) delivery(ctx context.Context, stage, name string) []Check {
	found, err := l.firehose.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
	if missing(err) {
		return one(stage, "delivery stream", false, name+" is deleted", "delivery-freshness")
	}
	if err != nil {
		return unknown(stage, "delivery stream", err)
	}
	d := found.DeliveryStreamDescription
	checks := one(stage, "delivery stream", d.DeliveryStreamStatus == firehosetypes.DeliveryStreamStatusActive, string(d.DeliveryStreamStatus), "delivery-freshness")
	for _, destination := range d.Destinations {
		if to := destination.ExtendedS3DestinationDescription; to != nil {
			bucket := strings.TrimPrefix(aws.ToString(to.BucketARN), "arn:aws:s3:::")
			prefix, _, _ := strings.Cut(aws.ToString(to.ErrorOutputPrefix), "!{")
			checks = append(checks, l.bucket(ctx, stage, "objects in "+prefix, bucket, prefix, "delivery-success", "delivery-failedshare")...)
		}
	}
	return checks
}

// kept looks at what Lambda gave up.
func (l *looker) kept(ctx context.Context) []Check {
	return l.bucket(ctx, loader, "kept on failure", l.Names["FAILURES_BUCKET"], "aws/lambda/", "load-onfailurerefused", "load-keptonfailure")
}

// pages bounds how much of a bucket is listed.
const pages = 5

// bucket counts what was put aside lately. gone and full are the sections for either trouble.
func (l *looker) bucket(ctx context.Context, stage, name, bucket, prefix, gone, full string) []Check {
	list := s3.NewListObjectsV2Paginator(l.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	lately, page := 0, 0
	for ; list.HasMorePages() && page < pages; page++ {
		found, err := list.NextPage(ctx)
		if missing(err) {
			return one(stage, "bucket", false, bucket+" is not there", gone)
		}
		if err != nil {
			return unknown(stage, name, err)
		}
		for _, object := range found.Contents {
			if aws.ToTime(object.LastModified).After(l.now.Add(-aside)) {
				lately++
			}
		}
	}
	value := fmt.Sprintf("%d written in the last hour", lately)
	if list.HasMorePages() && lately == 0 {
		return []Check{{stage, name, Unknown, fmt.Sprintf("none of the first %d pages is of the last hour, and there are more", pages), full}}
	}
	return one(stage, name, lately == 0, value, full)
}

func (l *looker) function(stage, part string) func(context.Context) []Check {
	return func(ctx context.Context) []Check {
		section := map[string]string{loader: "load-errors"}[stage]
		if section == "" {
			section = "delivery-functionerrors"
		}
		name := l.Names[part]
		found, err := l.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if missing(err) {
			return one(stage, "function", false, name+" is deleted", section)
		}
		if err != nil {
			return unknown(stage, "function", err)
		}
		// An inactive function becomes active when it is invoked; one that is pending or has failed cannot be.
		works := found.State == lambdatypes.StateActive || found.State == lambdatypes.StateInactive
		return one(stage, "function", works && found.LastUpdateStatus != lambdatypes.LastUpdateStatusFailed,
			fmt.Sprintf("%s, last update %s", found.State, found.LastUpdateStatus), section)
	}
}

func (l *looker) mapping(ctx context.Context) []Check {
	id := l.Names["LOADER_MAPPING"]
	found, err := l.lambda.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
	if missing(err) {
		return one(loader, "mapping", false, id+" is deleted", "load-iteratorage")
	}
	if err != nil {
		return unknown(loader, "mapping", err)
	}
	state := aws.ToString(found.State)
	return one(loader, "mapping", state == "Enabled" || state == "Updating" || state == "Creating" || state == "Enabling", state, "load-iteratorage")
}

func (l *looker) instance(ctx context.Context) []Check {
	id := l.Names["DATABASE"]
	found, err := l.rds.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if missing(err) {
		return one(database, "instance", false, id+" is deleted", "database-cpu")
	}
	if err != nil {
		return unknown(database, "instance", err)
	}
	for _, i := range found.DBInstances {
		state := aws.ToString(i.DBInstanceStatus)
		// It serves while its storage grows, its backup is made, and more: only these say that it does not.
		bad := strings.Contains(state, "fail") || strings.Contains(state, "stop") || strings.HasPrefix(state, "in") || state == "storage-full" || state == "deleting" || state == "restore-error"
		return one(database, "instance", !bad, fmt.Sprintf("%s, %s, %d GiB", state, aws.ToString(i.DBInstanceClass), aws.ToInt32(i.AllocatedStorage)), "database-cpu")
	}
	return one(database, "instance", false, id+" is deleted", "database-cpu")
}

// sql asks Postgres itself.
func (l *looker) sql(ctx context.Context) []Check {
	if l.DatabaseURL == "" {
		return []Check{{Stage: database, Name: "Postgres", State: Unknown, Value: "not asked: DATABASE_URL does not say how to reach it"}}
	}
	db, err := pgx.Connect(ctx, l.DatabaseURL)
	if err != nil {
		return one(database, "Postgres", false, "does not let anybody in: "+brief(err), "database-connections")
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read from, and the process ends
	var open, most, quarantined int
	err = db.QueryRow(ctx, `SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL), current_setting('max_connections')::int,
		(SELECT count(*) FROM quarantine WHERE quarantined_at > now() - $1::interval)`, aside).Scan(&open, &most, &quarantined)
	if err != nil {
		return one(database, "Postgres", false, brief(err), "database-connections")
	}
	checks := one(database, "connections", open < most*8/10, fmt.Sprintf("%d of %d", open, most), "database-connections")
	return append(checks, one(database, "quarantine", quarantined == 0, fmt.Sprintf("%d rows of the last hour", quarantined), "load-quarantined")...)
}

// brief is the innermost error: pgx's whole text has the user, the host and each attempt.
func brief(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			text, _, _ := strings.Cut(err.Error(), "\n")
			return text
		}
		err = inner
	}
}

// missing says whether AWS answered that there is no such thing.
func missing(err error) bool {
	var bucket *s3types.NoSuchBucket
	if errors.As(err, &bucket) {
		return true
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "NotFoundException", "ResourceNotFoundException", "NoSuchBucket", "NotFound", "DBInstanceNotFound", "DBInstanceNotFoundFault":
		return true
	}
	return false
}
