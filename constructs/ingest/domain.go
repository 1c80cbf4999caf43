package ingest

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// URL is the base of the routes, with a slash at its end: the domain's, or the API's own.
func (a *IngestApi) URL() *string {
	d := a.props.Domain
	if d == nil {
		return a.RestApi.Url()
	}
	if d.BasePath == nil || *d.BasePath == "" {
		return jsii.Sprintf("https://%s/", *d.DomainName)
	}
	return jsii.Sprintf("https://%s/%s/", *d.DomainName, *d.BasePath)
}

// domainName is the domain as CDK has it, with TLS 1.2 or what was asked for above it.
func domainName(p IngestApiProps) *awsapigateway.DomainNameOptions {
	if p.Domain == nil {
		return nil
	}
	d := *p.Domain
	d.SecurityPolicy = cmp.Or(d.SecurityPolicy, awsapigateway.SecurityPolicy_TLS_1_2)
	return &d
}

// disableExecuteApi turns the API's own address off where a domain takes its place: its
// clients would pass by the domain's mutual TLS and its security policy.
func disableExecuteApi(p IngestApiProps) *bool {
	if p.Domain == nil {
		return nil
	}
	return jsii.Bool(true)
}
