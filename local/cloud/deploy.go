package cloud

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// stackPrefix begins the names of the stacks of env=local.
const stackPrefix = "Millrace-local-"

// deployment deploys the app into a running cloud with the real CDK CLI.
type deployment struct {
	root     string
	dir      folder
	state    state
	assembly string // Default: synthesized from root
}

// prepare bootstraps the emulator's account and synthesizes the app, at once:
// one waits mostly for the emulator, the other computes.
func (d *deployment) prepare(ctx context.Context) error {
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return d.bootstrap(ctx) })
	if d.assembly == "" {
		d.assembly = d.dir.path("cdk.out")
		both.Go(func() error {
			return d.cdk(ctx, d.root, "synth", nil, "--quiet", "-c", "env=local", "--output", d.assembly)
		})
	}
	return both.Wait()
}

func (d *deployment) bootstrap(ctx context.Context) error {
	const toolkit = "CDKToolkit"
	_, err := cloudformation.NewFromConfig(config(d.state.Endpoint)).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(toolkit)})
	if err == nil {
		return nil // by an earlier up
	}
	// Away from cdk.json, or the CLI would run the app first.
	return d.cdk(ctx, d.dir.path("tmp"), "bootstrap", nil, "aws://"+Account+"/"+Region, "--toolkit-stack-name", toolkit)
}

// deploy deploys every stack; progress gets the number of resources done.
func (d *deployment) deploy(ctx context.Context, progress func(string)) error {
	return d.cdk(ctx, d.root, "deploy", &counter{report: progress}, "--all", "--app", d.assembly,
		"--require-approval", "never", "--progress", "events", "--concurrency", "2")
}

// cdk runs one command of the CDK CLI in folder, with its output in a log of that name.
func (d *deployment) cdk(ctx context.Context, folder, command string, watch *counter, arguments ...string) error {
	log, err := os.Create(d.dir.log(command))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(cdk(d.root), append([]string{command, "--no-color", "--no-notices"}, arguments...)...)
	cmd.Dir = folder
	cmd.Env = environ(d.state.Endpoint,
		"CDK_HOME="+d.dir.path("tmp", "cdk"), // or it would remember this account for the user's own work
		"CDK_DISABLE_CLI_TELEMETRY=1", "CDK_DISABLE_VERSION_CHECK=1",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20",
		"MILLRACE_LOCAL_DATABASE_PORT="+strconv.Itoa(d.state.DatabasePort),
		"MILLRACE_LOCAL_DATABASE_CA="+d.state.DatabaseCA)
	cmd.Stdout, cmd.Stderr = log, log
	if watch != nil {
		watch.log = log
		cmd.Stdout, cmd.Stderr = watch, watch
	}
	if err := process.Run(ctx, cmd); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("running cdk %s: %w; %s ends with:\n%s", command, err, d.dir.log(command), tail(d.dir.log(command)))
	}
	return nil
}

// counter writes the CLI's output to its log and counts the resources done in it.
type counter struct {
	log    *os.File
	report func(string)
	done   atomic.Int64
}

var resourceDone = regexp.MustCompile(`\b(CREATE|UPDATE|DELETE)_COMPLETE\b`)

func (c *counter) Write(text []byte) (int, error) {
	if n := len(resourceDone.FindAll(text, -1)); n > 0 {
		c.report(fmt.Sprintf("%d resources", c.done.Add(int64(n))))
	}
	return c.log.Write(text)
}

// environment reads what was deployed.
func (d *deployment) environment(ctx context.Context) (*Environment, error) {
	outputs, err := d.outputs(ctx)
	if err != nil {
		return nil, err
	}
	client := config(d.state.Endpoint)
	key, err := apigateway.NewFromConfig(client).GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: aws.String(outputs["ApiKeyId"]), IncludeValue: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("reading API key %s: %w", outputs["ApiKeyId"], err)
	}
	master, err := readSecret(ctx, secretsmanager.NewFromConfig(client), outputs["DatabaseSecretArn"])
	if err != nil {
		return nil, err
	}
	return &Environment{
		APIURL:          "http://" + d.state.Gateway + "/" + outputs["ApiId"] + "/" + outputs["ApiStage"],
		APIKey:          aws.ToString(key.Value),
		StreamName:      outputs["StreamName"],
		LakeBucket:      outputs["LakeBucket"],
		DatabaseURL:     databaseURL(d.state, master),
		EndpointURL:     d.state.Endpoint,
		Region:          Region,
		AccessKeyID:     accessKeyID,
		SecretAccessKey: secretAccessKey,
		DatabasePort:    strconv.Itoa(d.state.DatabasePort),
		DatabaseCA:      d.state.DatabaseCA,
	}, nil
}

// outputs are those of all of the app's stacks together.
func (d *deployment) outputs(ctx context.Context) (map[string]string, error) {
	outputs := map[string]string{}
	pages := cloudformation.NewDescribeStacksPaginator(cloudformation.NewFromConfig(config(d.state.Endpoint)), &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing stacks: %w", err)
		}
		for _, stack := range page.Stacks {
			if !strings.HasPrefix(aws.ToString(stack.StackName), stackPrefix) || stack.StackStatus == cfntypes.StackStatusDeleteComplete {
				continue
			}
			for _, output := range stack.Outputs {
				outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
			}
		}
	}
	var errs []error
	for _, name := range []string{"ApiId", "ApiStage", "ApiKeyId", "StreamName", "LakeBucket", "DatabaseSecretArn"} {
		if outputs[name] == "" {
			errs = append(errs, fmt.Errorf("no stack %s* has an output %s", stackPrefix, name))
		}
	}
	return outputs, errors.Join(errs...)
}

// databaseURL connects as the master that the deployed secret names.
func databaseURL(s state, master secret) string {
	server := postgres.Server{Port: s.DatabasePort, CAFile: s.DatabaseCA}
	return server.DSN(master.Username, master.Password, master.Database)
}
