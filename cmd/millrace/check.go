package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/check"
	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/local/cloud"
)

// healthPath is where the environments' API says that it stands (stacks.HealthPath).
const healthPath = "/health"

type checkCmd struct {
	Env     string        `help:"The environment." default:"local"`
	Role    string        `help:"The ARN of a role of the environment's account, to be assumed first." placeholder:"ARN"`
	Region  string        `help:"The environment's region. Default: that of the AWS configuration."`
	Timeout time.Duration `help:"How long events may take to come to rest." default:"15m"`
	JSON    bool          `help:"Print the report as JSON." name:"json"`
}

// Run checks and prints the report. Whatever is wrong is its error.
func (c *checkCmd) Run(ctx context.Context, cli *CLI) (err error) {
	d, err := c.find(ctx, cli.Root)
	if err != nil {
		return err
	}
	what := check.Config{
		URL: strings.TrimSuffix(d.url, "/"), Health: healthPath, Authorize: d.authorize,
		Lake: check.NewBucket(s3.NewFromConfig(d.aws, func(o *s3.Options) {
			o.UsePathStyle = d.local
			o.DisableLogOutputChecksumValidationSkipped = true // Firehose chooses what its objects have
		}), d.lake),
		Timeout: c.Timeout, Interval: 5 * time.Second,
	}
	if d.local {
		what.Interval = 200 * time.Millisecond
	}
	if d.database != "" {
		db, err := pgx.Connect(ctx, d.database)
		if err != nil {
			return fmt.Errorf("connecting to the environment's Postgres: %w", err)
		}
		defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
		what.Table = check.Postgres{DB: db}
	}
	report, err := check.Run(ctx, what)
	return errors.Join(err, report.Err(), c.print(os.Stdout, report))
}

func (c *checkCmd) print(w io.Writer, report check.Report) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(report)
	}
	var text strings.Builder
	for _, step := range report.Steps {
		mark := "ok  "
		if step.Problem != "" {
			mark = "FAIL"
		}
		fmt.Fprintf(&text, "%s %s\n", mark, step.Name)
	}
	for _, skipped := range report.Skipped {
		fmt.Fprintf(&text, "skip %s\n", skipped)
	}
	fmt.Fprintf(&text, "check: run=%s removed=%d\n", report.Run, report.Removed)
	_, err := io.WriteString(w, text.String())
	return err
}

// checked is how to reach what is checked.
type checked struct {
	aws                 aws.Config
	local               bool
	url, lake, database string
	authorize           func(*http.Request, []byte) error
}

func (c *checkCmd) find(ctx context.Context, root string) (*checked, error) {
	if c.Env == "local" {
		e, err := cloud.ReadEnvironment(root)
		if err != nil {
			return nil, err
		}
		return &checked{aws: e.AWS(), local: true, url: e.APIURL, lake: e.LakeBucket, database: e.DatabaseURL, authorize: withKey(e.APIKey)}, nil
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Region))
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if c.Role != "" {
		loaded.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), c.Role))
	}
	stacks := cloudformation.NewFromConfig(loaded)
	foundation, err := line.Outputs(ctx, stacks, "Millrace-"+c.Env+"-Foundation")
	if err != nil {
		return nil, err
	}
	pipeline, err := line.Outputs(ctx, stacks, "Millrace-"+c.Env+"-Pipeline")
	if err != nil {
		return nil, err
	}
	d := &checked{aws: loaded, url: pipeline["ApiUrl"], lake: foundation["LakeBucket"], database: os.Getenv("DATABASE_URL"), authorize: withSignature(ctx, loaded)}
	if d.url == "" || d.lake == "" {
		return nil, fmt.Errorf("the stacks of %s have no outputs ApiUrl and LakeBucket", c.Env)
	}
	if id := pipeline["CheckApiKeyId"]; id != "" {
		key, err := apigateway.NewFromConfig(loaded).GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: &id, IncludeValue: aws.Bool(true)})
		if err != nil {
			return nil, fmt.Errorf("reading the API key of the check: %w", err)
		}
		d.authorize = withKey(aws.ToString(key.Value))
	}
	return d, nil
}

func withKey(key string) func(*http.Request, []byte) error {
	return func(request *http.Request, _ []byte) error {
		request.Header.Set("X-Api-Key", key)
		return nil
	}
}

// withSignature signs as API Gateway asks with IAM.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
func withSignature(ctx context.Context, loaded aws.Config) func(*http.Request, []byte) error {
	return func(request *http.Request, body []byte) error {
		credentials, err := loaded.Credentials.Retrieve(ctx)
		if err != nil {
			return fmt.Errorf("retrieving credentials: %w", err)
		}
		hash := sha256.Sum256(body)
		return v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), "execute-api", loaded.Region, time.Now())
	}
}
