// Command verifyaws asks API Gateway itself what it makes of the mapping templates of an
// IngestApi: make verify-aws. It is for whoever has an AWS account, and
// nobody has run it against one yet.
//
// It deploys a throw-away stack (one API, one Kinesis stream of one shard, log
// groups) with the CDK CLI, sends the template corpus through API Gateway's
// TestInvokeMethod, stores what it rendered and answered as
// local/gateway/testdata/aws/DATE.json, and destroys the stack, also after a
// failure or Ctrl-C. It takes minutes and costs cents: one shard and one API for as long as it runs.
//
// The tests of this package then compare that file with what the laptop's engine
// renders. What the method cannot show: authorization, throttling, WAF and gateway
// responses to what never reaches a method, which TestInvokeMethod passes by; and the response
// templates' answers to trouble that nobody can make Kinesis have.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
)

// fixtures is where the answers are kept, from the repository's root.
const fixtures = "local/gateway/testdata/aws"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "synth" {
		synth()
		return
	}
	// Hanging up a terminal counts as Ctrl-C: the stack must go.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "verify-aws:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if _, err := os.Stat("cdk.json"); err != nil {
		return errors.New("run this at the repository's root: make verify-aws")
	}
	loaded, err := awsConfig(ctx)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program for the CDK CLI: %w", err)
	}
	return Verify(ctx, Config{
		Client: apigateway.NewFromConfig(loaded, patient),
		Region: loaded.Region,
		CDK:    cdk(self, loaded.Region),
		Cases:  cases(),
		Dir:    fixtures,
		Now:    time.Now(),
		Out:    os.Stderr,
	})
}

// awsConfig has the credentials that the AWS CLI would take; without any this is nothing to start.
func awsConfig(ctx context.Context) (aws.Config, error) {
	if os.Getenv("AWS_ENDPOINT_URL") != "" {
		return aws.Config{}, errors.New("AWS_ENDPOINT_URL is set, and what answers there is not AWS: unset it")
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		return aws.Config{}, errors.New("no AWS region is set: set AWS_REGION")
	}
	if _, err := loaded.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, errors.New("no AWS credentials: this needs an account of yours, with the CDK's bootstrap stack in " +
			loaded.Region + "; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return loaded, nil
}

// patient retries what API Gateway's control plane throttles, which it does early:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
func patient(o *apigateway.Options) { o.RetryMaxAttempts = 10 }

// cdk runs the CDK CLI on the stack, in a process group of its own: a
// Ctrl-C is for this program, which then destroys what there is.
func cdk(self, region string) func(context.Context, ...string) error {
	return func(ctx context.Context, arguments ...string) error {
		command := exec.CommandContext(ctx, "node_modules/.bin/cdk", append(arguments, "--app", "'"+self+"' synth",
			"--output", "build/verifyaws.out", "--progress", "events", "--no-notices", "--ci")...)
		command.Env = append(os.Environ(), "AWS_REGION="+region)
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
		command.WaitDelay = 30 * time.Second
		return command.Run()
	}
}
