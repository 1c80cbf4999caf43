package database

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// masterUser is the Postgres role that the migrations run as.
const masterUser = "millrace_master"

// passwordWithout leaves letters, digits and -._ for passwords: all that a URL
// and a shell take as they are. RDS itself refuses / @ " and the space.
const passwordWithout = " %+~`#$&*()|[]{}:;<>?!'/@\"\\^=,"

// secret is one of ours, not RDS's ManageMasterUserPassword: with that an
// instance can have no read replicas, and to change from one to the other later
// changes every client.
func (db *PrivateRds) secret(p *PrivateRdsProps) awssecretsmanager.ISecret {
	secret := awsrds.NewDatabaseSecret(db, jsii.String("Secret"), &awsrds.DatabaseSecretProps{
		Username:          jsii.String(masterUser),
		EncryptionKey:     db.Key,
		ExcludeCharacters: jsii.String(passwordWithout),
	})
	secret.ApplyRemovalPolicy(p.kept())
	if p.SkipRotation {
		suppress.Rules(secret, "The props leave rotation out, as the laptop's emulator cannot run it", "AwsSolutions-SMG4")
	}
	return secret
}

// rotation changes the master's password by AWS's own function, in the
// database's subnets. The first change waits for its time: the password is new,
// and the migrator, which reads it during the same deploy, must not meet one
// that is just changing.
func (db *PrivateRds) rotation(p *PrivateRdsProps) {
	group := NewClosedGroup(db, "RotationSecurityGroup", db.vpc, "Rotation of the secret of "+*db.Node().Path())
	db.letToSecrets(group)
	// Not Instance.AddRotationSingleUser: it lets the function in by the port's token, which no reader of the template knows.
	rotation := awssecretsmanager.NewSecretRotation(db, jsii.String("Rotation"), &awssecretsmanager.SecretRotationProps{
		Application:               awssecretsmanager.SecretRotationApplication_POSTGRES_ROTATION_SINGLE_USER(),
		Secret:                    db.Secret(),
		Target:                    db.server,
		Vpc:                       db.vpc,
		VpcSubnets:                db.subnets,
		SecurityGroup:             group,
		ExcludeCharacters:         jsii.String(passwordWithout),
		AutomaticallyAfter:        p.RotationInterval,
		RotateImmediatelyOnUpdate: jsii.Bool(false),
	})

	// Lambda would make the function's log group, for ever, at its first call. CDK
	// names the function by the last 64 characters of this, which is how we know.
	name := *awscdk.Names_UniqueId(rotation)
	name = name[max(0, len(name)-64):]
	logs := awslogs.NewLogGroup(db, jsii.String("RotationLogGroup"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/aws/lambda/" + name),
		Retention:     p.LogRetention,
		RemovalPolicy: p.logsKept(),
	})
	suppress.Rules(logs, "CloudWatch Logs encrypts it with a key of its own; the function that AWS publishes logs no credential", "CKV_AWS_158")
	rotation.Node().AddDependency(logs)
}
