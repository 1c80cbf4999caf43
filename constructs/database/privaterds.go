package database

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// PrivateRds is a Postgres instance in isolated subnets: encrypted, reached by
// TLS alone and by those alone whom it was granted to.
type PrivateRds struct {
	constructs.Construct

	Instance awsrds.DatabaseInstance
	Proxy    awsrds.DatabaseProxy // before the instance; nil without one
	Key      awskms.IKey          // of the storage and the secret
	// SecretsEndpoint is the new VPC's way to Secrets Manager; nil in a VPC that was given.
	SecretsEndpoint awsec2.InterfaceVpcEndpoint

	vpc            awsec2.IVpc
	subnets        *awsec2.SubnetSelection
	name           string
	caBundle       string
	maxConnections int
	server         awsec2.Connections // the instance's door
	clients        awsec2.Connections // the door that clients take: the proxy's, or the instance's
	proxyRole      awsiam.Role
	alarms         []awscloudwatch.Alarm
}

var _ Database = (*PrivateRds)(nil)

// NewPrivateRds defines a PrivateRds in scope; props may be nil. It panics on
// invalid props (see [PrivateRdsProps.Validate]).
func NewPrivateRds(scope constructs.Construct, id string, props *PrivateRdsProps) *PrivateRds {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("database: %s: %w", id, err))
	}
	p := props.withDefaults()

	db := &PrivateRds{vpc: p.Vpc, subnets: p.VpcSubnets, name: p.DatabaseName, caBundle: p.CABundle, maxConnections: p.MaxConnections}
	constructs.NewConstruct_Override(db, scope, &id)
	p.Identifier = cmp.Or(p.Identifier, db.identifier())
	db.Key = db.key(p)
	secret := db.secret(p)
	if p.Vpc == nil {
		db.vpc = db.isolatedVpc(p)
		db.answerEndpoint()
		db.SecretsEndpoint = db.secretsEndpoint(secret)
	}
	db.server = db.doorway(p)
	db.clients = db.server
	db.Instance = db.instance(p, secret)
	if p.Proxy != nil {
		db.proxy(p.Proxy)
	}
	if !p.SkipRotation {
		db.rotation(p)
	}
	db.addAlarms(p)
	if p.RemovalPolicy == awscdk.RemovalPolicy_RETAIN {
		db.retainGround()
	}
	return db
}

// Host is the proxy's DNS name, or without one the instance's.
func (db *PrivateRds) Host() *string {
	if db.Proxy != nil {
		return db.Proxy.Endpoint()
	}
	return db.DirectHost()
}

// Port is the TCP port of Host.
func (db *PrivateRds) Port() *string {
	if db.Proxy != nil {
		return jsii.String(strconv.Itoa(proxyPort))
	}
	return db.DirectPort()
}

// DirectHost is the instance's DNS name.
func (db *PrivateRds) DirectHost() *string { return db.Instance.DbInstanceEndpointAddress() }

// DirectPort is the instance's TCP port.
func (db *PrivateRds) DirectPort() *string { return db.Instance.DbInstanceEndpointPort() }

// Proxied says whether there is a proxy.
func (db *PrivateRds) Proxied() bool { return db.Proxy != nil }

// MaxConnections is how many connections the instance takes; 0 if that is not known.
func (db *PrivateRds) MaxConnections() int { return db.maxConnections }

// Name is the database's name.
func (db *PrivateRds) Name() string { return db.name }

// CABundle is the bundle given in the props.
func (db *PrivateRds) CABundle() string { return db.caBundle }

// Secret holds the master's username and password, host and port.
func (db *PrivateRds) Secret() awssecretsmanager.ISecret { return db.Instance.Secret() }

// Vpc is the VPC given, or the one made.
func (db *PrivateRds) Vpc() awsec2.IVpc { return db.vpc }

// Subnets are those that the instance stands in.
func (db *PrivateRds) Subnets() *awsec2.SubnetSelection { return db.subnets }

// Connections is the security group of Host; its default port is Host's.
func (db *PrivateRds) Connections() awsec2.Connections { return db.clients }

// GrantConnect lets client reach Host and log in as user by IAM authentication:
// as this user, here, and no other. A proxy is let in as that user too.
func (db *PrivateRds) GrantConnect(client Client, user string) awsiam.Grant {
	letIn(client, db.clients)
	if db.Proxy == nil {
		return db.Instance.GrantConnect(client, &user)
	}
	db.Instance.GrantConnect(db.proxyRole, &user)
	return db.Proxy.GrantConnect(client, &user)
}

// GrantMaster lets client reach the instance, reach Secrets Manager, and read
// the master's secret. In a VPC that was given, client may go to port 443 of any
// address, and it is the VPC that must lead to Secrets Manager.
func (db *PrivateRds) GrantMaster(client Client) awsiam.Grant {
	letIn(client, db.server)
	db.letToSecrets(client)
	return grantSecret(client, db.Secret(), db.Key)
}

func (db *PrivateRds) letToSecrets(client awsec2.IConnectable) {
	if db.SecretsEndpoint == nil {
		letToHTTPS(client, nil)
		return
	}
	letToHTTPS(client, db.SecretsEndpoint)
}

func (db *PrivateRds) key(p *PrivateRdsProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	key := awskms.NewKey(db, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the database " + *db.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.kept(),
	})
	suppress.Rules(key, "CDK writes ReEncrypt* and GenerateDataKey* for the secret, by way of Secrets Manager alone", "Privilege-Action")
	return key
}

// doorway is the instance's security group.
func (db *PrivateRds) doorway(p *PrivateRdsProps) awsec2.Connections {
	group := NewClosedGroup(db, "SecurityGroup", db.vpc, "The database "+*db.Node().Path())
	return awsec2.NewConnections(&awsec2.ConnectionsProps{
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		DefaultPort:    awsec2.Port_Tcp(jsii.Number(p.Port)),
	})
}

// retainGround keeps what a retained instance stands on: AWS refuses to delete it
// under the instance, and the stack's deletion would fail there.
func (db *PrivateRds) retainGround() {
	awscdk.RemovalPolicies_Of(db).Retain(&awscdk.RemovalPolicyProps{
		ApplyToResourceTypes: jsii.Strings(
			"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup",
			"AWS::RDS::DBSubnetGroup", "AWS::RDS::DBParameterGroup",
		),
	})
}
