package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-cdk/millrace/spec"
)

// IAMToken authenticates user by RDS IAM authentication: a request signed with
// the function's own credentials, with no call to AWS, valid for 15 minutes and
// only needed while connecting
// (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html).
func IAMToken(config aws.Config, database spec.Database, user string) Authenticate {
	return func(ctx context.Context) (string, error) {
		token, err := auth.BuildAuthToken(ctx, endpoint(database), config.Region, user, config.Credentials)
		if err != nil {
			return "", fmt.Errorf("signing an IAM token: %w", err)
		}
		return token, nil
	}
}

// SecretReader is what [ReadSecret] needs of a Secrets Manager client.
type SecretReader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// ReadSecret reads the username and password that Secrets Manager keeps for a
// database, as CDK's database secrets and AWS's rotation functions write them.
func ReadSecret(ctx context.Context, client SecretReader, arn string) (username, password string, err error) {
	output, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", "", fmt.Errorf("reading secret %s: %w", arn, err)
	}
	var login struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	// The decoder's error would show a part of the secret.
	if json.Unmarshal([]byte(aws.ToString(output.SecretString)), &login) != nil || login.Username == "" || login.Password == "" {
		return "", "", fmt.Errorf("reading secret %s: it must be JSON with the members username and password", arn)
	}
	return login.Username, login.Password, nil
}
