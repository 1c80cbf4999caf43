package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/local/cloud/postgres"
)

// databases does what RDS does behind its API, which the emulator does not: a
// deployed instance with Postgres's port gets its database and its master. The
// master's password is that of the deployed secret; unlike on RDS it follows
// the secret, since no rotation function runs here.
type databases struct {
	rds      *rds.Client
	secrets  *secretsmanager.Client
	postgres *postgres.Server
	log      *slog.Logger
	stop     context.CancelFunc
	done     chan struct{}

	// restarted is told of a new server process.
	restarted func() error
	stopped   bool // because the deployed instance is

	applied  master // what Postgres has now
	reported string // the trouble last logged
}

// master is an instance's first user and its database.
type master struct {
	instance, user, password, database string
}

// watchDatabases looks at what is deployed until it is closed.
func watchDatabases(ctx context.Context, aws aws.Config, server *postgres.Server, restarted func() error, log *slog.Logger) *databases {
	ctx, cancel := context.WithCancel(ctx)
	d := &databases{
		rds: rds.NewFromConfig(aws), secrets: secretsmanager.NewFromConfig(aws),
		postgres: server, restarted: restarted, log: log, stop: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(d.done)
		for ctx.Err() == nil {
			d.report(ctx, d.look(ctx))
			select {
			case <-ctx.Done():
			case <-time.After(250 * time.Millisecond):
			}
		}
	}()
	return d
}

// Close ends the watch.
func (d *databases) Close() {
	d.stop()
	<-d.done
}

// report logs a trouble once, not four times a second.
func (d *databases) report(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		d.reported = ""
	case err.Error() != d.reported:
		d.reported = err.Error()
		d.log.Warn("setting up the deployed database", "error", err)
	}
}

func (d *databases) look(ctx context.Context) error {
	found, err := d.rds.DescribeDBInstances(ctx, nil)
	if err != nil {
		return fmt.Errorf("describing database instances: %w", err)
	}
	ours := slices.DeleteFunc(found.DBInstances, func(i rdstypes.DBInstance) bool {
		return i.Endpoint == nil || int(aws.ToInt32(i.Endpoint.Port)) != d.postgres.Port
	})
	if len(ours) == 0 {
		return nil
	}
	// While an instance is being replaced there are two: the later one counts.
	newest := slices.MaxFunc(ours, func(a, b rdstypes.DBInstance) int {
		return aws.ToTime(a.InstanceCreateTime).Compare(aws.ToTime(b.InstanceCreateTime))
	})
	if stopped, err := d.follow(ctx, aws.ToString(newest.DBInstanceStatus) == "stopped"); stopped || err != nil {
		return err
	}
	want, err := d.master(ctx, newest)
	if err != nil || want == d.applied {
		return err
	}
	if err := d.apply(ctx, want); err != nil {
		return fmt.Errorf("applying database instance %s: %w", aws.ToString(newest.DBInstanceIdentifier), err)
	}
	d.log.Info("the deployed database is set up", "instance", aws.ToString(newest.DBInstanceIdentifier), "database", want.database, "master", want.user)
	d.applied = want
	return nil
}

// follow stops the server when its instance was stopped, by StopDBInstance, and starts it again
// with it. It is cut off as by a crash, which is harder than what RDS does: what was not committed
// is gone, and the log is read again at the next start.
func (d *databases) follow(ctx context.Context, stop bool) (stopped bool, err error) {
	if stop == d.stopped {
		return stop, nil
	}
	if stop {
		err = d.postgres.Crash(ctx)
		d.log.Info("the database is stopped", "error", err)
	} else if err = d.postgres.Restart(ctx); err == nil {
		d.log.Info("the database is started again")
		err = d.restarted()
	}
	if err != nil {
		return d.stopped, fmt.Errorf("following the instance's status: %w", err)
	}
	d.stopped = stop
	return stop, nil
}

// master finds the instance's secret: the one with its address and its master.
// The address is attached to the secret after the instance is made; until then
// the master alone decides.
func (d *databases) master(ctx context.Context, instance rdstypes.DBInstance) (master, error) {
	m := master{instance: aws.ToString(instance.DbiResourceId), user: aws.ToString(instance.MasterUsername), database: aws.ToString(instance.DBName)}
	var candidates []secret
	pages := secretsmanager.NewListSecretsPaginator(d.secrets, &secretsmanager.ListSecretsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return m, fmt.Errorf("listing secrets: %w", err)
		}
		for _, entry := range page.SecretList {
			s, err := readSecret(ctx, d.secrets, *entry.ARN)
			if err != nil {
				return m, err
			}
			if s.Password == "" || s.Username != m.user {
				continue
			}
			if s.Host == aws.ToString(instance.Endpoint.Address) && s.Port.String() == strconv.Itoa(d.postgres.Port) {
				m.password = s.Password
				return m, nil
			}
			if s.Host == "" {
				candidates = append(candidates, s)
			}
		}
	}
	if len(candidates) != 1 {
		return m, fmt.Errorf("finding the secret of database instance %s: %d secrets have the user %q and no other host",
			aws.ToString(instance.DBInstanceIdentifier), len(candidates), m.user)
	}
	m.password = candidates[0].Password
	return m, nil
}

// secret is a database secret in the form that RDS and its rotation use.
type secret struct {
	Username string      `json:"username"`
	Password string      `json:"password"`
	Host     string      `json:"host"`
	Port     json.Number `json:"port"`
	Database string      `json:"dbname"`
}

// readSecret returns the zero secret for one that is not a database's.
func readSecret(ctx context.Context, client *secretsmanager.Client, arn string) (secret, error) {
	value, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if absent := new(smtypes.ResourceNotFoundException); errors.As(err, &absent) {
		return secret{}, nil // deleted since it was listed, or without a value yet
	}
	if err != nil {
		return secret{}, fmt.Errorf("reading secret %s: %w", arn, err)
	}
	var s secret
	if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &s); err != nil {
		return secret{}, nil //nolint:nilerr // a secret of another kind is no trouble
	}
	return s, nil
}

// apply makes Postgres what want says. A new instance is empty on RDS, so what
// an earlier one left goes first.
func (d *databases) apply(ctx context.Context, want master) error {
	conn, err := pgx.Connect(ctx, d.postgres.AdminDSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if want.instance != d.applied.instance {
		if err := wipe(ctx, conn, want.database); err != nil {
			return err
		}
		// An RDS master is no superuser: these are its rights.
		if err := run(ctx, conn, "CREATE ROLE %I LOGIN CREATEROLE CREATEDB IN ROLE rds_superuser", want.user); err != nil {
			return err
		}
		if err := run(ctx, conn, "CREATE DATABASE %I OWNER %I", want.database, want.user); err != nil {
			return err
		}
	}
	return run(ctx, conn, "ALTER ROLE %I PASSWORD %L", want.user, want.password)
}

func wipe(ctx context.Context, conn *pgx.Conn, database string) error {
	if err := run(ctx, conn, "DROP DATABASE IF EXISTS %I WITH (FORCE)", database); err != nil {
		return err
	}
	var roles []string
	const others = "SELECT array_agg(quote_ident(rolname)) FROM pg_roles WHERE rolname !~ '^(pg|rds)_' AND rolname <> $1"
	if err := conn.QueryRow(ctx, others, postgres.Admin).Scan(&roles); err != nil || len(roles) == 0 {
		return err
	}
	// In one statement, since they may have granted each other's memberships.
	list := strings.Join(roles, ", ")
	_, err := conn.Exec(ctx, "DROP OWNED BY "+list+" CASCADE; DROP ROLE "+list)
	return err
}

// run executes a statement of a kind that takes no parameters: Postgres itself
// quotes them (%I an identifier, %L a literal).
func run(ctx context.Context, conn *pgx.Conn, statement string, parameters ...string) error {
	var text string
	if err := conn.QueryRow(ctx, "SELECT format($1, VARIADIC $2::text[])", statement, parameters).Scan(&text); err != nil {
		return fmt.Errorf("quoting %q: %w", statement, err)
	}
	if _, err := conn.Exec(ctx, text); err != nil {
		return fmt.Errorf("running %q: %w", statement, err) // without the parameters: one is a password
	}
	return nil
}
