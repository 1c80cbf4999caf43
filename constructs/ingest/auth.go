package ingest

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// String returns a's name in this package.
func (a Auth) String() string {
	switch a {
	case AuthIAM:
		return "AuthIAM"
	case AuthAPIKey:
		return "AuthAPIKey"
	case AuthCognito:
		return "AuthCognito"
	case AuthAuthorizer:
		return "AuthAuthorizer"
	case AuthNone:
		return "AuthNone"
	}
	return fmt.Sprintf("Auth(%d)", int(a))
}

// newAuthorizer is who decides on requests; nil where no authorizer does.
func (a *IngestApi) newAuthorizer(p IngestApiProps) awsapigateway.IAuthorizer {
	switch p.Auth {
	case AuthCognito:
		pools := slices.Clone(p.UserPools)
		return awsapigateway.NewCognitoUserPoolsAuthorizer(a, jsii.String("Authorizer"), &awsapigateway.CognitoUserPoolsAuthorizerProps{
			CognitoUserPools: &pools,
		})
	case AuthAuthorizer:
		return p.Authorizer
	default:
		return nil
	}
}

// authorize lets a method be called by those whom p.Auth lets in. A method that it
// does not see is open to all: health and CORS preflight, whose callers have nothing to show.
func (a *IngestApi) authorize(p IngestApiProps, options *awsapigateway.MethodOptions) {
	switch p.Auth {
	case AuthIAM:
		options.AuthorizationType = awsapigateway.AuthorizationType_IAM
	case AuthAPIKey:
		options.AuthorizationType = awsapigateway.AuthorizationType_NONE
		options.ApiKeyRequired = jsii.Bool(true)
	case AuthCognito, AuthAuthorizer:
		options.Authorizer = a.authorizer // which says the type
		if len(p.AuthorizationScopes) > 0 {
			options.AuthorizationScopes = jsii.Strings(p.AuthorizationScopes...)
		}
	case AuthNone:
		options.AuthorizationType = awsapigateway.AuthorizationType_NONE
	}
}
