// Package emulatortest starts the AWS emulator for a test, and puts Go
// functions and buckets into it.
package emulatortest

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/gozip"
)

// Region is the emulator's region in tests, as in the local environment.
const Region = "eu-west-1"

// RoleARN is a role for whatever needs one; the emulator only checks its form.
const RoleARN = "arn:aws:iam::000000000000:role/test"

// Start runs the emulator by local/cloud's launcher on a free port for as long
// as the test runs, and returns the configuration that its clients need.
func Start(t testing.TB) aws.Config {
	t.Helper()
	python := filepath.Join(root(t), ".venv", "bin", "python")
	require.FileExists(t, python, "the emulator is not installed: run `make setup`")

	port := freePort(t)
	command := exec.Command(python, filepath.Join(root(t), "local", "cloud", "ministack.py"))
	command.Env = append(os.Environ(),
		"GATEWAY_PORT="+port, "BIND_HOST=127.0.0.1", "MINISTACK_HOST=localhost", "MINISTACK_REGION="+Region,
		"AWS_ENDPOINT_URL=http://127.0.0.1:"+port, "LOG_LEVEL=WARNING", "TMPDIR="+t.TempDir(), "PYTHONDONTWRITEBYTECODE=1",
		"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "DOCKER_HOST=unix:///none") // nothing beside AWS's APIs
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its functions are its children: they end with it
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = command.Wait() }() // killed below: it always ends with an error
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // gone already is as good
		<-ended
		if t.Failed() {
			t.Logf("the emulator said:\n%s", output.String())
		}
	})

	endpoint := "http://127.0.0.1:" + port
	require.Eventually(t, func() bool {
		response, err := http.Get(endpoint + "/_ministack/health")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, 60*time.Second, 100*time.Millisecond, "the emulator did not come up")

	return aws.Config{
		Region:       Region,
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Function builds the main package at dir, deploys it as name and returns its ARN.
func Function(t testing.TB, config aws.Config, name, dir string, environment map[string]string) string {
	t.Helper()
	code, err := gozip.Build(dir, "")
	require.NoError(t, err)

	made, err := lambda.NewFromConfig(config).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName:  &name,
		Runtime:       lambdatypes.RuntimeProvidedal2023,
		Handler:       aws.String("bootstrap"),
		Role:          aws.String(RoleARN),
		Timeout:       aws.Int32(30),
		Architectures: []lambdatypes.Architecture{lambdatypes.ArchitectureX8664}, // the emulator runs what it is given
		Environment:   &lambdatypes.Environment{Variables: environment},
		Code:          &lambdatypes.FunctionCode{ZipFile: code},
	})
	require.NoError(t, err)
	return *made.FunctionArn
}

// Bucket makes a bucket and returns the client that it is read with.
func Bucket(t testing.TB, config aws.Config, name string) *s3.Client {
	t.Helper()
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &name,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{
			LocationConstraint: s3types.BucketLocationConstraint(Region),
		},
	})
	require.NoError(t, err)
	return client
}

// root is the repository's root: the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	file, err := exec.Command("go", "env", "GOMOD").Output()
	require.NoError(t, err)
	return filepath.Dir(strings.TrimSpace(string(file)))
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	return strconv.Itoa(port)
}
