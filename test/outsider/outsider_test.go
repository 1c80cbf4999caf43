// Package outsider tests millrace as its importers meet it: as a dependency in a
// read-only module cache, with nothing of this repository's working tree at hand.
package outsider

import (
	"debug/elf"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const root = "../.."

var millrace = module.Version{Path: "github.com/millrace-cdk/millrace", Version: "v0.0.1"}

func TestAModuleOutsideSynthesizesTheSmallestAppAndItsFunctionsRun(t *testing.T) {
	app := newOutsider(t)
	output, err := app.run("go", "build", "-o", "app", ".")
	require.NoError(t, err, output)
	output, err = app.run("./app")
	require.NoError(t, err, output)

	output, err = app.run("go", "mod", "verify")
	require.NoError(t, err, "the build wrote into the module cache: %s", output)

	assert.Equal(t, []elf.Machine{elf.EM_AARCH64, elf.EM_AARCH64, elf.EM_AARCH64}, machines(t, app.functions(t, "Smallest")))

	for handler, path := range app.functions(t, "ThisMachine") {
		t.Run(handler, func(t *testing.T) {
			answer := invoke(t, path, invocations[handler].variables, invocations[handler].event)
			assert.Contains(t, answer, invocations[handler].answer)
		})
	}
}

// invocations are one event for each function, and what its answer holds.
var invocations = map[string]struct {
	variables     []string
	event, answer string
}{
	"transformer": {
		event:  `{"invocationId":"i","deliveryStreamArn":"arn:aws:firehose:eu-west-1:111122223333:deliverystream/d","region":"eu-west-1","records":[{"recordId":"r1","approximateArrivalTimestamp":1510254469499,"data":"eyJhIjoxfQ=="}]}`,
		answer: `"recordId":"r1","result":"Ok"`,
	},
	// Nothing listens there: the records are reported, so that Lambda sends them again.
	"loader": {
		variables: []string{
			`MILLRACE_SPEC={"database":{"host":"localhost","port":"1","name":"millrace"}}`,
			"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		},
		event:  `{"Records":[{"eventSource":"aws:kinesis","eventID":"shardId-000000000000:495","eventSourceARN":"arn:aws:kinesis:eu-west-1:111122223333:stream/s","kinesis":{"partitionKey":"p","sequenceNumber":"495","data":"eyJhIjoxfQ==","approximateArrivalTimestamp":1510254469.499}}]}`,
		answer: `{"batchItemFailures":[{"itemIdentifier":"495"}]}`,
	},
	"migrator": {
		variables: []string{`MILLRACE_SPEC={"database":{"host":"localhost","port":"1","name":"millrace"},"secret_arn":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:s"}`},
		event:     `{"RequestType":"Delete","ResponseURL":"RESPONSE_URL","StackId":"s","RequestId":"r","LogicalResourceId":"l","PhysicalResourceId":"p","ResourceType":"Custom::Migration"}`,
		answer:    `"Status":"SUCCESS"`,
	},
}

// outsider is a module in a folder of its own that resolves millrace from a file proxy.
type outsider struct {
	dir         string
	environment []string
}

func newOutsider(t *testing.T) *outsider {
	t.Helper()
	dir := t.TempDir()
	source, err := os.ReadFile("testdata/main.go")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"),
		[]byte("module example.com/outsider\n\ngo 1.26\n\nrequire "+millrace.Path+" "+millrace.Version+"\n"), 0o600))

	downloads, err := exec.Command("go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	cache := filepath.Join(dir, "modcache")
	t.Cleanup(func() {
		// The module cache is read-only: go itself has to remove it.
		clean := exec.Command("go", "clean", "-modcache")
		clean.Env = append(os.Environ(), "GOMODCACHE="+cache)
		assert.NoError(t, clean.Run())
	})
	return &outsider{dir: dir, environment: append(os.Environ(),
		"GOPROXY=file://"+proxy(t)+",file://"+strings.TrimSpace(string(downloads))+"/cache/download",
		"GOMODCACHE="+cache, "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-mod=mod -trimpath -buildvcs=false",
		"CDK_OUTDIR="+filepath.Join(dir, "cdk.out"), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20",
	)}
}

func (o *outsider) run(name string, args ...string) (string, error) {
	command := exec.Command(name, args...)
	command.Dir, command.Env = o.dir, o.environment
	output, err := command.CombinedOutput()
	return string(output), err
}

// proxy makes a folder that serves this working tree as a module, by git's list of its files.
func proxy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	versions := filepath.Join(dir, filepath.FromSlash(millrace.Path), "@v")
	require.NoError(t, os.MkdirAll(versions, 0o755))
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	require.NoError(t, err)

	var files []zip.File
	for name := range strings.SplitSeq(strings.Trim(string(names), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, name)); err == nil && info.Mode().IsRegular() {
			files = append(files, file{name})
		}
	}
	archive, err := os.Create(filepath.Join(versions, millrace.Version+".zip"))
	require.NoError(t, err)
	require.NoError(t, zip.Create(archive, millrace, files))
	require.NoError(t, archive.Close())

	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	for extension, content := range map[string]string{
		".mod": string(mod), ".info": `{"Version":"` + millrace.Version + `"}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(versions, millrace.Version+extension), []byte(content), 0o600))
	}
	return dir
}

// file is one of the working tree, named as git names it.
type file struct{ name string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(filepath.Join(root, f.name)) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(root, f.name)) }

// functions returns the bootstrap of each Go function of the stack, by millrace's
// name of it, as the assembly would upload it.
func (o *outsider) functions(t *testing.T, stack string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(o.dir, "cdk.out", stack+".template.json"))
	require.NoError(t, err)
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				Runtime string
				Code    struct{ S3Key string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &template))
	found := map[string]string{}
	for id, resource := range template.Resources {
		if resource.Type != "AWS::Lambda::Function" || resource.Properties.Runtime != "provided.al2023" {
			continue
		}
		// An asset lies in the assembly under the hash that its S3 key starts with.
		hash := strings.TrimSuffix(resource.Properties.Code.S3Key, ".zip")
		found[functionName(t, id)] = filepath.Join(o.dir, "cdk.out", "asset."+hash, "bootstrap")
	}
	require.Len(t, found, 3, "functions in %s", stack)
	return found
}

// functionName is millrace's name of the function with the logical id.
func functionName(t *testing.T, id string) string {
	t.Helper()
	for _, name := range []string{"Transformer", "Migrator", "Loader"} {
		if strings.Contains(id, name) {
			return strings.ToLower(name)
		}
	}
	t.Fatalf("no function of ours is called %s", id)
	return ""
}

func machines(t *testing.T, functions map[string]string) []elf.Machine {
	t.Helper()
	var all []elf.Machine
	for _, path := range functions {
		binary, err := elf.Open(path)
		require.NoError(t, err)
		all = append(all, binary.Machine)
		require.NoError(t, binary.Close())
	}
	return all
}

// invoke runs bootstrap below a Lambda runtime API of the test's own, hands it
// one event, and returns what it answered, there or at the event's ResponseURL.
func invoke(t *testing.T, bootstrap string, variables []string, event string) string {
	t.Helper()
	answers := make(chan string, 2)
	served := false
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		if served {
			<-r.Context().Done() // No further event: Lambda would freeze the function here.
			return
		}
		served = true
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", "32503680000000")
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:111122223333:function:f")
		_, err := io.WriteString(w, strings.ReplaceAll(event, "RESPONSE_URL", server.URL+"/answer"))
		assert.NoError(t, err)
	})
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		answers <- string(body)
		if strings.HasPrefix(r.URL.Path, "/2018-06-01/") {
			w.WriteHeader(http.StatusAccepted)
		}
	}
	mux.HandleFunc("/", receive)

	command := exec.Command(bootstrap)
	command.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"),
		"AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_VERSION=20", "PATH=" + os.Getenv("PATH"),
	}, variables...)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	require.NoError(t, command.Start(), "on %s", runtime.GOARCH)
	t.Cleanup(func() {
		assert.NoError(t, command.Process.Kill())
		assert.Error(t, command.Wait(), "killed")
	})
	select {
	case answer := <-answers:
		return answer
	case <-time.After(30 * time.Second):
		t.Fatal("no answer in 30 s")
		return ""
	}
}
