package database

import (
	"cmp"
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"
)

// proxyPort is what every proxy for PostgreSQL listens on; it is not for us to choose.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html
const proxyPort = 5432

// Defaults of [ProxyProps].
const (
	// DefaultProxyConnectionsPercent leaves a tenth of the connections to those who come directly.
	DefaultProxyConnectionsPercent   = 90
	DefaultProxyBorrowTimeoutSeconds = 30
	DefaultProxyIdleTimeoutMinutes   = 10
)

// What RDS accepts: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ConnectionPoolConfiguration.html
const (
	maxBorrowSeconds = 300
	maxIdleMinutes   = 8 * 60
)

// ProxyProps puts an RDS Proxy before the instance, which clients log in to by
// IAM authentication over TLS, and which logs in to the instance by IAM
// authentication too: no secret is involved. What makes it hold on to
// connections (pinning) is in docs/database.md.
type ProxyProps struct {
	// ConnectionsPercent is how much of the server's connections it may take, 1 to 100.
	//
	// Default: [DefaultProxyConnectionsPercent].
	ConnectionsPercent int
	// BorrowTimeout is how long a client waits for a connection when all are taken, 1 to 300 seconds.
	//
	// Default: [DefaultProxyBorrowTimeoutSeconds] seconds.
	BorrowTimeout awscdk.Duration
	// IdleTimeout is how long a client may do nothing, 1 minute to 8 hours.
	//
	// Default: [DefaultProxyIdleTimeoutMinutes] minutes.
	IdleTimeout awscdk.Duration
	// Configure edits the L2 props of the proxy last, after every default is set.
	//
	// Default: no change.
	Configure func(*awsrds.DatabaseProxyProps)
}

// Validate reports every problem of the props in one error.
func (p *ProxyProps) Validate() error {
	if p == nil {
		return nil
	}
	return errors.Join(
		between("proxy connections", p.ConnectionsPercent, 1, 100, "percent"),
		whole("proxy borrow timeout", p.BorrowTimeout, maxBorrowSeconds, "seconds", awscdk.Duration.ToSeconds),
		whole("proxy idle timeout", p.IdleTimeout, maxIdleMinutes, "minutes", awscdk.Duration.ToMinutes),
	)
}

func (p *ProxyProps) withDefaults() *ProxyProps {
	q := *p
	q.ConnectionsPercent = cmp.Or(q.ConnectionsPercent, DefaultProxyConnectionsPercent)
	if q.BorrowTimeout == nil {
		q.BorrowTimeout = awscdk.Duration_Seconds(jsii.Number(DefaultProxyBorrowTimeoutSeconds))
	}
	if q.IdleTimeout == nil {
		q.IdleTimeout = awscdk.Duration_Minutes(jsii.Number(DefaultProxyIdleTimeoutMinutes))
	}
	return &q
}

// proxy defines the proxy and becomes what clients connect to.
func (db *PrivateRds) proxy(p *ProxyProps) {
	group := NewClosedGroup(db, "ProxySecurityGroup", db.vpc, "The proxy of "+*db.Node().Path())
	db.clients = awsec2.NewConnections(&awsec2.ConnectionsProps{
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		DefaultPort:    awsec2.Port_Tcp(jsii.Number(proxyPort)),
	})

	db.proxyRole = awsiam.NewRole(db, jsii.String("ProxyRole"), &awsiam.RoleProps{
		Description: jsii.String("Logs the proxy of " + *db.Node().Path() + " in to it"),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("rds.amazonaws.com"), nil),
	})
	props := &awsrds.DatabaseProxyProps{
		// It also lets the proxy into the instance, by the port's token.
		ProxyTarget:           awsrds.ProxyTarget_FromInstance(db.Instance),
		DbProxyName:           jsii.String(db.identifier()),
		DefaultAuthScheme:     awsrds.DefaultAuthScheme_IAM_AUTH,
		RequireTLS:            jsii.Bool(true),
		Role:                  db.proxyRole,
		Vpc:                   db.vpc,
		VpcSubnets:            db.subnets,
		SecurityGroups:        &[]awsec2.ISecurityGroup{group},
		MaxConnectionsPercent: jsii.Number(p.ConnectionsPercent),
		BorrowTimeout:         p.BorrowTimeout,
		IdleClientTimeout:     p.IdleTimeout,
		DebugLogging:          jsii.Bool(false), // it logs statements
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	db.Proxy = awsrds.NewDatabaseProxy(db, jsii.String("Proxy"), props)
}
