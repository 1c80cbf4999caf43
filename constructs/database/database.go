// Package database defines the Postgres that events end up in, out of reach of
// the public network, and proves on the templates that it is.
package database

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
)

// Database is a Postgres that functions can be let into. It is an interface,
// unlike the other things of this module, because who writes to a database must
// not care whose it is: [PrivateRds] is one, [Existing] is one that was there
// already. Methods may be added to it.
//
// Its security groups alone, without any right, are what CDK's own verbs work
// on: client.Connections().AllowToDefaultPort(db, …). They are those of Host.
type Database interface {
	constructs.IConstruct
	awsec2.IConnectable

	// Host is the DNS name that clients connect to, as its certificate has it:
	// the proxy's if there is one, else the server's.
	Host() *string
	// Port is the TCP port of Host.
	Port() *string
	// DirectHost is the server's own DNS name, for who needs sessions of its own:
	// migrations, with their locks and settings, never go through a proxy.
	DirectHost() *string
	// DirectPort is the TCP port of DirectHost.
	DirectPort() *string
	// Proxied says that Host is an RDS Proxy, whose certificate is signed by
	// Amazon's public authorities and not by RDS's.
	Proxied() bool
	// Name is the name of the database on that server.
	Name() string
	// CABundle is the PEM text of the certificate authorities that sign the
	// certificate of DirectHost; empty for Amazon RDS's own.
	CABundle() string
	// MaxConnections is how many connections the server takes; 0 if that is not known.
	MaxConnections() int
	// Secret holds the master's username and password as JSON.
	Secret() awssecretsmanager.ISecret
	// Vpc is the network that clients must be in.
	Vpc() awsec2.IVpc
	// Subnets are the subnets of Vpc that clients belong in.
	Subnets() *awsec2.SubnetSelection
	// GrantConnect lets client reach Host and log in as user with an IAM token in
	// place of a password. The user must have the Postgres role rds_iam.
	GrantConnect(client Client, user string) awsiam.Grant
	// GrantMaster lets client reach DirectHost, reach Secrets Manager, and read the
	// master's password there.
	GrantMaster(client Client) awsiam.Grant
}

// Client is what can be let into a [Database]: it has a role, and security
// groups in the database's VPC. Every function in a VPC is one.
//
// The rules that let it in are defined in the client's stack, so that a database
// knows nothing of its clients and may live in a stack of its own.
type Client interface {
	awsiam.IGrantable
	awsec2.IConnectable
}
