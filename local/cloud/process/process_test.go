package process_test

import (
	"bufio"
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// stubborn is a child that ignores SIGTERM.
func stubborn(t *testing.T) (*process.Process, process.Identity) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	child, err := process.Start(cmd, syscall.SIGKILL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = child.Stop(context.Background(), syscall.SIGKILL) }) // most tests have stopped it
	_, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	identity, err := child.Identity()
	require.NoError(t, err)
	return child, identity
}

func TestStopKillsAChildThatIgnoresTheSignal(t *testing.T) {
	child, identity := stubborn(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, child.Stop(ctx, syscall.SIGTERM), "killed it")
	assert.False(t, identity.Alive())
	assert.NoError(t, child.Stop(t.Context(), syscall.SIGTERM), "it has ended already")
}

func TestAnIdentityStopsExactlyItsProcess(t *testing.T) {
	_, identity := stubborn(t)
	other := identity
	other.Started += "0"
	require.NoError(t, other.Stop(syscall.SIGKILL, time.Second))
	assert.True(t, identity.Alive(), "another start time is another process")
	require.NoError(t, identity.Stop(syscall.SIGTERM, 200*time.Millisecond))
	assert.False(t, identity.Alive())
	assert.NoError(t, process.Identity{}.Stop(syscall.SIGKILL, time.Second), "nothing was recorded")
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := process.Run(ctx, exec.Command("sh", "-c", "sleep 60 & sleep 60"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 10*time.Second)
}

func TestProgramThatIsMissingIsNamed(t *testing.T) {
	_, err := process.Start(exec.Command("/no/such/program"), syscall.SIGKILL)
	require.ErrorContains(t, err, "starting /no/such/program")
}
