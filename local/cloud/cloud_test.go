package cloud

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// TestMain stands in for the millrace program where Up starts a supervisor.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == SuperviseCommand {
		flags := flag.NewFlagSet(SuperviseCommand, flag.ExitOnError)
		root, port, scale := flags.String("root", "", ""), flags.Int("port", 0, ""), flags.Float64("time-scale", 0, "")
		_ = flags.Parse(os.Args[2:])
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		if err := Run(ctx, Config{Root: *root, GatewayPort: *port, TimeScale: *scale, Log: slog.Default()}); err != nil {
			slog.Error(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// repository is the root of this repository.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.FileExists(t, python(root), "run `make setup`")
	require.FileExists(t, cdk(root), "run `make setup`")
	return root
}

// newRoot is a root with the repository's tools and a state of its own.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{".venv", "node_modules", "local"} {
		require.NoError(t, os.Symlink(filepath.Join(repository(t), name), filepath.Join(root, name)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "cdk.json"), []byte("{}"), 0o644))
	t.Cleanup(func() { assert.NoError(t, Down(context.Background(), root)) })
	return root
}

// assembly is a cloud assembly with the outputs that Up reads.
func assembly(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"manifest.json": `{"version": "48.0.0", "artifacts": {"Millrace-local-Fake": {"type": "aws:cloudformation:stack",
			"environment": "aws://000000000000/eu-west-1", "properties": {"templateFile": "fake.json"}}}}`,
		"fake.json": `{"Resources": {
			"Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": true, "Value": "a key of twenty letters"}},
			"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString":
				"{\"username\": \"master\", \"password\": \"it's $1\", \"dbname\": \"events\"}"}}},
			"Outputs": {"ApiId": {"Value": "abc"}, "ApiStage": {"Value": "prod"}, "ApiKeyId": {"Value": {"Ref": "Key"}},
			"StreamName": {"Value": "a-stream"}, "LakeBucket": {"Value": "a-lake"}, "DatabaseSecretArn": {"Value": {"Ref": "Secret"}}}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

func (s state) processes() []process.Identity {
	return []process.Identity{s.Supervisor, s.Emulator, s.Postgres}
}

func allGone(s state) func() bool {
	return func() bool {
		for _, one := range s.processes() {
			if one.Alive() {
				return false
			}
		}
		return true
	}
}

func TestUpDeploysAndDownLeavesNothing(t *testing.T) {
	root := newRoot(t)
	var progress strings.Builder
	config := UpConfig{Root: root, Assembly: assembly(t), Progress: &progress}
	environment, err := Up(t.Context(), config)
	require.NoError(t, err)
	running, err := readState(stateFolder(root))
	require.NoError(t, err)

	t.Run("what was deployed is in local.env, for a shell and for Go", func(t *testing.T) {
		assert.Equal(t, "http://"+running.Gateway+"/abc/prod", environment.APIURL)
		assert.Equal(t, "a key of twenty letters", environment.APIKey)
		assert.Equal(t, "a-stream", environment.StreamName)
		assert.Equal(t, "a-lake", environment.LakeBucket)
		url, err := pgx.ParseConfig(environment.DatabaseURL)
		require.NoError(t, err)
		assert.Equal(t, []any{"master", "it's $1", "events", "localhost"}, []any{url.User, url.Password, url.Database, url.Host})
		again, err := ReadEnvironment(root)
		require.NoError(t, err)
		assert.Equal(t, environment, again)

		shell := exec.Command("sh", "-c", `. "$1" && printf '%s\n' "$API_KEY" "$DATABASE_URL"`, "sh", stateFolder(root).path("local.env"))
		output, err := shell.Output()
		require.NoError(t, err)
		assert.Equal(t, environment.APIKey+"\n"+environment.DatabaseURL+"\n", string(output))
		info, err := os.Stat(stateFolder(root).path("local.env"))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	})
	t.Run("a second up changes nothing", func(t *testing.T) {
		second, err := Up(t.Context(), config)
		require.NoError(t, err)
		assert.Equal(t, environment, second)
		now, err := readState(stateFolder(root))
		require.NoError(t, err)
		assert.Equal(t, running, now)
		log, err := os.ReadFile(stateFolder(root).log("deploy"))
		require.NoError(t, err)
		assert.Contains(t, string(log), "(no changes)")
		assert.Contains(t, progress.String(), "are up already")
	})
	t.Run("while another works on it, down waits for nobody and says who it is", func(t *testing.T) {
		unlock, err := lock(stateFolder(root))
		require.NoError(t, err)
		defer unlock()
		assert.ErrorContains(t, Down(t.Context(), root), "another millrace (process ")
	})
	t.Run("after a crash nothing runs on, and up starts anew", func(t *testing.T) {
		require.NoError(t, syscall.Kill(running.Supervisor.Pid, syscall.SIGKILL))
		assert.Eventually(t, allGone(running), 10*time.Second, 50*time.Millisecond)
		up, err := Running(t.Context(), root)
		require.NoError(t, err)
		assert.False(t, up)
		_, err = Up(t.Context(), config)
		require.NoError(t, err)
		running, err = readState(stateFolder(root))
		require.NoError(t, err)
		up, err = Running(t.Context(), root)
		require.NoError(t, err)
		assert.True(t, up)
	})
	t.Run("down leaves nothing but logs", func(t *testing.T) {
		require.NoError(t, Down(t.Context(), root))
		assert.True(t, allGone(running)())
		left, err := filepath.Glob(stateFolder(root).path("*"))
		require.NoError(t, err)
		assert.Equal(t, []string{stateFolder(root).path("lock"), stateFolder(root).path("log")}, left)
		assert.NoError(t, Down(t.Context(), root), "twice")
	})
}

func TestInterruptedUpLeavesNothing(t *testing.T) {
	for name, reached := range map[string]func(state) bool{
		"while it starts":  func(s state) bool { return s.Emulator.Pid != 0 },
		"while it deploys": func(s state) bool { return s.Ready },
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var seen state
			go func() {
				for ctx.Err() == nil {
					if s, err := readState(stateFolder(root)); err == nil && reached(s) {
						seen = s
						interrupt()
					}
					time.Sleep(10 * time.Millisecond)
				}
			}()
			_, err := Up(ctx, UpConfig{Root: root, Assembly: assembly(t)})
			require.ErrorIs(t, err, context.Canceled)
			assert.NotZero(t, seen.Emulator.Pid)
			assert.True(t, allGone(seen)())
			assert.NoFileExists(t, stateFolder(root).path("state.json"))
			assert.NoDirExists(t, stateFolder(root).path("postgres"))
		})
	}
}

func TestForeignProcessWithARecordedIdIsNotStopped(t *testing.T) {
	root := newRoot(t)
	foreign := exec.Command("sleep", "60")
	require.NoError(t, foreign.Start())
	t.Cleanup(func() { _, _ = foreign.Process.Kill(), foreign.Wait() })
	identity, err := process.Of(foreign.Process.Pid)
	require.NoError(t, err)

	stale := identity
	stale.Started += "0" // it started at another time than what up had started
	renamed := identity
	renamed.Command = "python ministack.py"
	require.NoError(t, os.MkdirAll(stateFolder(root).path(), 0o755))
	require.NoError(t, state{Supervisor: stale, Emulator: renamed, Postgres: stale}.write(stateFolder(root)))

	require.NoError(t, Down(t.Context(), root))
	assert.True(t, identity.Alive())
	assert.NoFileExists(t, stateFolder(root).path("state.json"))
}

func TestPortThatIsTakenSaysWhichFlagChoosesAnother(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	assert.ErrorContains(t, checkPort(port), "free it, or choose another for the API by --port")
	require.NoError(t, listener.Close())
	assert.NoError(t, checkPort(port))
}
