package database

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
)

// letIn is asked of the client's connections, not the database's: that way round
// CDK defines both rules in the client's stack when it is another one.
func letIn(client, database awsec2.IConnectable) {
	client.Connections().AllowToDefaultPort(database, jsii.String("Postgres"))
}

// letToHTTPS lets client go to endpoint, or, without one, to port 443 of any address.
func letToHTTPS(client, endpoint awsec2.IConnectable) {
	https, description := awsec2.Port_HTTPS(), jsii.String("Secrets Manager")
	if endpoint == nil {
		client.Connections().AllowToAnyIpv4(https, description)
		return
	}
	client.Connections().AllowTo(endpoint, https, description)
}

// grantSecret lets client read secret, and decrypt it with key if there is one.
// By hand: Secret.GrantRead names client in the key's policy, so that a database
// in a stack of its own would wait for its clients, and they for it.
func grantSecret(client awsiam.IGrantable, secret awssecretsmanager.ISecret, key awskms.IKey) awsiam.Grant {
	read := awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      client,
		Actions:      jsii.Strings("secretsmanager:GetSecretValue"),
		ResourceArns: &[]*string{secret.SecretArn()},
	})
	if key == nil {
		return read
	}
	return read.Combine(awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      client,
		Actions:      jsii.Strings("kms:Decrypt"),
		ResourceArns: &[]*string{key.KeyArn()},
		Conditions: &map[string]*map[string]any{"StringEquals": {
			"kms:ViaService": jsii.Sprintf("secretsmanager.%s.amazonaws.com", *awscdk.Stack_Of(secret).Region()),
		}},
	}))
}
