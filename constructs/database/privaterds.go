package database

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// PrivateRds is a Postgres instance in isolated subnets: encrypted, reached by
// TLS alone and by those alone whom it was granted to.
type PrivateRds struct {
	constructs.Construct

	Instance awsrds.DatabaseInstance
	Key      awskms.IKey // of the storage and the secret
	// SecretsEndpoint is the new VPC's way to Secrets Manager; nil in a VPC that was given.
	SecretsEndpoint awsec2.InterfaceVpcEndpoint

	vpc         awsec2.IVpc
	subnets     *awsec2.SubnetSelection
	name        string
	caBundle    string
	connections awsec2.Connections
}

var _ Database = (*PrivateRds)(nil)

// NewPrivateRds defines a PrivateRds in scope; props may be nil. It panics on
// invalid props (see [PrivateRdsProps.Validate]).
func NewPrivateRds(scope constructs.Construct, id string, props *PrivateRdsProps) *PrivateRds {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("database: %s: %w", id, err))
	}
	p := props.withDefaults()

	db := &PrivateRds{vpc: p.Vpc, subnets: p.VpcSubnets, name: p.DatabaseName, caBundle: p.CABundle}
	constructs.NewConstruct_Override(db, scope, &id)
	db.Key = db.key(p)
	secret := db.secret(p)
	if p.Vpc == nil {
		db.vpc = db.isolatedVpc(p)
		db.answerEndpoint()
		db.SecretsEndpoint = db.secretsEndpoint(secret)
	}
	db.connections = db.doorway(p)
	db.Instance = db.instance(p, secret)
	if !p.SkipRotation {
		db.rotation(p)
	}
	if p.RemovalPolicy == awscdk.RemovalPolicy_RETAIN {
		db.retainGround()
	}
	return db
}

// Host is the instance's DNS name.
func (db *PrivateRds) Host() *string { return db.Instance.DbInstanceEndpointAddress() }

// Port is the instance's TCP port.
func (db *PrivateRds) Port() *string { return db.Instance.DbInstanceEndpointPort() }

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

// Connections is the instance's security group; its default port is the server's.
func (db *PrivateRds) Connections() awsec2.Connections { return db.connections }

// GrantConnect lets client reach the instance and log in as user by IAM
// authentication: as this user, on this instance, and no other.
func (db *PrivateRds) GrantConnect(client Client, user string) awsiam.Grant {
	db.letIn(client)
	return db.Instance.GrantConnect(client, &user)
}

// GrantMaster lets client reach the instance, reach Secrets Manager, and read
// the master's secret. In a VPC that was given, client may go to port 443 of any
// address, and it is the VPC that must lead to Secrets Manager.
func (db *PrivateRds) GrantMaster(client Client) awsiam.Grant {
	db.letIn(client)
	db.letToSecrets(client)
	// By hand: Secret.GrantRead names client in the key's policy, so that a database
	// in a stack of its own would wait for its clients, and they for it.
	read := awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      client,
		Actions:      jsii.Strings("secretsmanager:GetSecretValue"),
		ResourceArns: &[]*string{db.Secret().SecretArn()},
	})
	decrypt := awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      client,
		Actions:      jsii.Strings("kms:Decrypt"),
		ResourceArns: &[]*string{db.Key.KeyArn()},
		Conditions: &map[string]*map[string]any{"StringEquals": {
			"kms:ViaService": jsii.Sprintf("secretsmanager.%s.amazonaws.com", *awscdk.Stack_Of(db).Region()),
		}},
	})
	return read.Combine(decrypt)
}

// letIn is asked of the client's connections, not the database's: that way round
// CDK defines both rules in the client's stack when it is another one.
func (db *PrivateRds) letIn(client awsec2.IConnectable) {
	client.Connections().AllowToDefaultPort(db, jsii.String("Postgres"))
}

func (db *PrivateRds) letToSecrets(client awsec2.IConnectable) {
	https, description := awsec2.Port_HTTPS(), jsii.String("Secrets Manager")
	if db.SecretsEndpoint == nil {
		client.Connections().AllowToAnyIpv4(https, description)
		return
	}
	client.Connections().AllowTo(db.SecretsEndpoint, https, description)
}

func (db *PrivateRds) key(p *PrivateRdsProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	return awskms.NewKey(db, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the database " + *db.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.kept(),
	})
}

// doorway is the instance's security group.
func (db *PrivateRds) doorway(p *PrivateRdsProps) awsec2.Connections {
	group := NewClosedGroup(db, "SecurityGroup", db.vpc, "The database "+*db.Node().Path())
	return awsec2.NewConnections(&awsec2.ConnectionsProps{
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		DefaultPort:    awsec2.Port_Tcp(jsii.Number(p.Port)),
	})
}

func (db *PrivateRds) instance(p *PrivateRdsProps, secret awssecretsmanager.ISecret) awsrds.DatabaseInstance {
	// The major version alone: AWS upgrades the minor one, and no template can go back.
	// RDS then starts with a recent one (cfn-lint, W3691, takes "17" for 17.0):
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.DBVersions.html
	engine := awsrds.DatabaseInstanceEngine_Postgres(&awsrds.PostgresInstanceEngineProps{
		Version: awsrds.PostgresEngineVersion_VER_17(),
	})
	destroyed := p.RemovalPolicy == awscdk.RemovalPolicy_DESTROY
	props := &awsrds.DatabaseInstanceProps{
		Engine:         engine,
		InstanceType:   p.InstanceType,
		MultiAz:        jsii.Bool(p.MultiAz),
		DatabaseName:   jsii.String(p.DatabaseName),
		Port:           jsii.Number(p.Port),
		Credentials:    awsrds.Credentials_FromSecret(secret, jsii.String(masterUser)),
		ParameterGroup: awsrds.NewParameterGroup(db, jsii.String("Parameters"), &awsrds.ParameterGroupProps{Engine: engine, Parameters: parameters()}),

		Vpc:                db.vpc,
		VpcSubnets:         db.subnets,
		SecurityGroups:     db.connections.SecurityGroups(),
		PubliclyAccessible: jsii.Bool(false),
		IamAuthentication:  jsii.Bool(true),
		CaCertificate:      awsrds.CaCertificate_RDS_CA_RSA2048_G1(),

		StorageType:          awsrds.StorageType_GP3,
		AllocatedStorage:     jsii.Number(p.AllocatedStorageGiB),
		StorageEncrypted:     jsii.Bool(true),
		StorageEncryptionKey: db.Key,

		BackupRetention:         p.BackupRetention,
		DeleteAutomatedBackups:  jsii.Bool(destroyed),
		CopyTagsToSnapshot:      jsii.Bool(true),
		DeletionProtection:      jsii.Bool(!destroyed && !p.SkipDeletionProtection),
		RemovalPolicy:           p.RemovalPolicy,
		AutoMinorVersionUpgrade: jsii.Bool(true),
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	return awsrds.NewDatabaseInstance(db, jsii.String("Instance"), props)
}

// parameters of the server: TLS or nothing, and a log of who came and went that
// holds neither statements nor data. A statement would carry data, and the
// rotation's ALTER USER the new password; terse leaves out the DETAIL of an
// error, which quotes the row.
func parameters() *map[string]*string {
	return &map[string]*string{
		"rds.force_ssl":              jsii.String("1"),
		"log_connections":            jsii.String("1"),
		"log_disconnections":         jsii.String("1"),
		"log_statement":              jsii.String("none"),
		"log_min_duration_statement": jsii.String("-1"),
		"log_min_error_statement":    jsii.String("panic"),
		"log_error_verbosity":        jsii.String("terse"),
	}
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
