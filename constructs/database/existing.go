package database

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DefaultExistingPort is Postgres's own.
const DefaultExistingPort = 5432

// ExistingProps says where a Postgres is that was there already: an RDS instance
// or an Aurora cluster, with IAM authentication on.
type ExistingProps struct {
	// Host is its DNS name, of a cluster that of the writer. Required.
	Host string
	// Port is its TCP port.
	//
	// Default: [DefaultExistingPort].
	Port int
	// DatabaseName is the name of the database there. Required.
	DatabaseName string
	// ResourceID is what IAM authentication knows it by: "db-…" of an instance,
	// "cluster-…" of a cluster. Required.
	ResourceID string
	// Secret holds the username and password, as JSON, of a role that may make
	// tables and roles. Required.
	Secret awssecretsmanager.ISecret
	// Vpc is its network. Clients in it need its way to Secrets Manager and S3. Required.
	Vpc awsec2.IVpc
	// VpcSubnets chooses the subnets for clients.
	//
	// Default: the isolated ones.
	VpcSubnets *awsec2.SubnetSelection
	// SecurityGroups are those that it stands in. Clients are let into each of them. Required.
	SecurityGroups []awsec2.ISecurityGroup
	// SecretsEndpoint is the VPC's endpoint of Secrets Manager, into which clients are let.
	//
	// Default: clients may go to port 443 of any address.
	SecretsEndpoint awsec2.IConnectable
	// CABundle is the PEM text of the certificate authorities that sign the server's certificate.
	//
	// Default: Amazon RDS's own, which clients have.
	CABundle string
	// MaxConnections is how many connections it takes.
	//
	// Default: not known.
	MaxConnections int
}

var resourceID = regexp.MustCompile(`^(db|cluster)-[A-Z0-9]+$`)

// Validate reports every problem of the props in one error.
func (p *ExistingProps) Validate() error {
	if p == nil {
		p = new(ExistingProps)
	}
	var errs []error
	required := func(missing bool, what string) {
		if missing {
			errs = append(errs, errors.New(what))
		}
	}
	required(p.Host == "", "host is required: pass the database's DNS name")
	required(p.DatabaseName == "", "database name is required: pass the name of the database on that server")
	required(p.Secret == nil, "secret is required: pass the secret with the master's username and password")
	required(p.Vpc == nil, "vpc is required: pass the database's network")
	required(len(p.SecurityGroups) == 0, "security groups are required: pass those that the database stands in")
	if !*awscdk.Token_IsUnresolved(p.ResourceID) && !resourceID.MatchString(p.ResourceID) {
		errs = append(errs, fmt.Errorf("resource id must be db-… or cluster-…, as describe-db-instances says, got %q", p.ResourceID))
	}
	errs = append(errs,
		between("port", p.Port, 1, maxPort, ""),
		between("max connections", p.MaxConnections, 1, maxMaxConnections, ""),
		validateCABundle(p.CABundle),
	)
	return errors.Join(errs...)
}

// Existing is a Postgres that was there already. Nothing of it is changed but its
// security groups, by rules for each client.
type Existing struct {
	constructs.Construct

	props       ExistingProps
	connections awsec2.Connections
}

var _ Database = (*Existing)(nil)

// FromExisting makes a [Database] of one that was there already. It panics on
// invalid props (see [ExistingProps.Validate]).
func FromExisting(scope constructs.Construct, id string, props *ExistingProps) *Existing {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("database: %s: %w", id, err))
	}
	p := *props
	p.Port = cmp.Or(p.Port, DefaultExistingPort)
	if p.VpcSubnets == nil {
		p.VpcSubnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	}
	db := &Existing{props: p}
	constructs.NewConstruct_Override(db, scope, &id)
	db.connections = awsec2.NewConnections(&awsec2.ConnectionsProps{
		SecurityGroups: &p.SecurityGroups,
		DefaultPort:    awsec2.Port_Tcp(jsii.Number(p.Port)),
	})
	return db
}

// Host is the DNS name given.
func (db *Existing) Host() *string { return &db.props.Host }

// Port is the TCP port of Host.
func (db *Existing) Port() *string { return jsii.String(strconv.Itoa(db.props.Port)) }

// DirectHost is Host.
func (db *Existing) DirectHost() *string { return db.Host() }

// DirectPort is Port.
func (db *Existing) DirectPort() *string { return db.Port() }

// Proxied is false.
func (db *Existing) Proxied() bool { return false }

// Name is the database's name.
func (db *Existing) Name() string { return db.props.DatabaseName }

// CABundle is the bundle given.
func (db *Existing) CABundle() string { return db.props.CABundle }

// MaxConnections is the number given; 0 if none was.
func (db *Existing) MaxConnections() int { return db.props.MaxConnections }

// Secret is the secret given.
func (db *Existing) Secret() awssecretsmanager.ISecret { return db.props.Secret }

// Vpc is the VPC given.
func (db *Existing) Vpc() awsec2.IVpc { return db.props.Vpc }

// Subnets are those given.
func (db *Existing) Subnets() *awsec2.SubnetSelection { return db.props.VpcSubnets }

// Connections is the security groups given; their default port is Port.
func (db *Existing) Connections() awsec2.Connections { return db.connections }

// GrantConnect lets client reach the server and log in as user by IAM authentication.
func (db *Existing) GrantConnect(client Client, user string) awsiam.Grant {
	letIn(client, db)
	return awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee: client,
		Actions: jsii.Strings("rds-db:connect"),
		// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
		ResourceArns: &[]*string{awscdk.Stack_Of(db).FormatArn(&awscdk.ArnComponents{
			Service:      jsii.String("rds-db"),
			Resource:     jsii.String("dbuser"),
			ResourceName: jsii.String(db.props.ResourceID + "/" + user),
			ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
		})},
	})
}

// GrantMaster lets client reach the server, reach Secrets Manager, and read the secret.
func (db *Existing) GrantMaster(client Client) awsiam.Grant {
	letIn(client, db)
	letToHTTPS(client, db.props.SecretsEndpoint)
	return grantSecret(client, db.props.Secret, db.props.Secret.EncryptionKey())
}
