// Package postgres is how the Lambda functions reach Postgres: over TLS that
// verifies the server's certificate and name, there is no other way, with a
// password that is asked for at each connect and is never in a log or an error.
package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // for the bundles
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/spec"
)

//go:generate node bundles.js

// What spec.Database.CABundle is when it is left empty: for a server its own
// authorities alone, for an RDS Proxy Amazon's public ones alone.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.howitworks.html#rds-proxy-security.tls
var (
	//go:embed rds-global-bundle.pem
	rdsBundle string
	//go:embed rds-proxy-roots.pem
	proxyRoots string
)

// DefaultConnectTimeout is long enough for DNS, TLS and RDS's IAM plugin, and
// short enough to try again within one invocation.
const DefaultConnectTimeout = 5 * time.Second

// Config is how to connect.
type Config struct {
	// Database says where the server is. Required.
	Database spec.Database
	// User is the role to connect as. Required.
	User string
	// Authenticate gives the password of each connection. Required.
	Authenticate Authenticate
	// ConnectTimeout bounds one attempt to connect.
	//
	// Default: [DefaultConnectTimeout].
	ConnectTimeout time.Duration
}

// Authenticate returns the password to connect with: a token made of the
// function's own credentials, or one read from Secrets Manager.
type Authenticate func(ctx context.Context) (password string, err error)

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Database.Host == "" {
		errs = append(errs, errors.New("database host is empty"))
	}
	if _, err := port(c.Database.Port); err != nil {
		errs = append(errs, err)
	}
	if c.Database.Name == "" {
		errs = append(errs, errors.New("database name is empty"))
	}
	if c.User == "" {
		errs = append(errs, errors.New("user is empty"))
	}
	if c.Authenticate == nil {
		errs = append(errs, errors.New("authenticate is nil"))
	}
	if _, err := authorities(c.Database); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Connect opens a connection. The caller closes it.
func (c Config) Connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := c.ConnConfig(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to Postgres: %w", err)
	}
	return conn, nil
}

// ConnConfig returns pgx's configuration, with a password just made.
func (c Config) ConnConfig(ctx context.Context) (*pgx.ConnConfig, error) {
	roots, err := authorities(c.Database)
	if err != nil {
		return nil, fmt.Errorf("configuring Postgres: %w", err)
	}
	portNumber, err := port(c.Database.Port)
	if err != nil {
		return nil, fmt.Errorf("configuring Postgres: %w", err)
	}
	password, err := c.Authenticate(ctx)
	if err != nil {
		return nil, fmt.Errorf("authenticating as %s: %w", c.User, err)
	}

	// pgx insists on a configuration that it parsed itself. What it found in
	// PG* variables and in ~/.pgpass is replaced below.
	config, err := pgx.ParseConfig("host=localhost sslmode=verify-full")
	if err != nil {
		return nil, fmt.Errorf("configuring Postgres: %w", err)
	}
	config.Host = c.Database.Host
	config.Port = portNumber
	config.Database = c.Database.Name
	config.User = c.User
	config.Password = password
	config.Fallbacks = nil
	config.ConnectTimeout = cmp.Or(c.ConnectTimeout, DefaultConnectTimeout)
	// Go verifies the chain against RootCAs and the name against ServerName:
	// together what libpq calls verify-full.
	config.TLSConfig = &tls.Config{RootCAs: roots, ServerName: c.Database.Host, MinVersion: tls.VersionTLS12}
	config.RuntimeParams["application_name"] = "millrace"
	return config, nil
}

// endpoint returns host:port.
func endpoint(d spec.Database) string { return net.JoinHostPort(d.Host, d.Port) }

func port(text string) (uint16, error) {
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 {
		return 0, fmt.Errorf("database port must be a number from 1 to %d, got %q", math.MaxUint16, text)
	}
	return uint16(number), nil
}

// authorities are those who may sign the server's certificate.
func authorities(d spec.Database) (*x509.CertPool, error) {
	shipped := rdsBundle
	if d.Proxied {
		shipped = proxyRoots
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(cmp.Or(d.CABundle, shipped))) {
		return nil, errors.New("CA bundle has no certificate in PEM form")
	}
	return roots, nil
}
