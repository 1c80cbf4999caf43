package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is who Postgres runs as.
type account struct {
	uid, gid uint32
	drop     bool // from root to this account
}

// current is the user of this process or, since Postgres refuses root, nobody.
func current() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return account{}, fmt.Errorf("finding a user for Postgres, which refuses to run as root: %w", err)
	}
	uid, err := strconv.ParseInt(nobody.Uid, 10, 64) // -2 on macOS
	if err != nil {
		return account{}, fmt.Errorf("reading nobody's user id: %w", err)
	}
	gid, err := strconv.ParseInt(nobody.Gid, 10, 64)
	if err != nil {
		return account{}, fmt.Errorf("reading nobody's group id: %w", err)
	}
	return account{uid: uint32(uid), gid: uint32(gid), drop: true}, nil
}

// run makes cmd run as the account, able to reach paths.
func (a account) run(cmd *exec.Cmd, paths ...string) {
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	if a.drop {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
		reach(cmd, paths...)
	}
}

// write makes a file that only the account reads.
func (a account) write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return a.own(path)
}

func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}
