package ingest

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// defaultClient is the name of the client that an API without named ones has. Naming
// it beside others keeps its key.
const defaultClient = "Default"

// addClients gives each client a key and a usage plan of its own: a usage plan's throttle
// is of each key, its quota too, but a plan for all would give all the same.
func (a *IngestApi) addClients(p IngestApiProps) {
	a.ApiKeys = map[string]awsapigateway.IApiKey{}
	for _, c := range p.Clients {
		keyID, planID, whose := "Key-"+c.Name, "UsagePlan-"+c.Name, "client "+c.Name
		if c.Name == defaultClient {
			keyID, planID, whose = "Key", "UsagePlan", "the clients"
		}
		key := a.RestApi.AddApiKey(&keyID, &awsapigateway.ApiKeyOptions{
			Description: jsii.Sprintf("Key of %s of %s", whose, *a.Node().Path()),
		})
		plan := a.RestApi.AddUsagePlan(&planID, &awsapigateway.UsagePlanProps{
			Description: jsii.Sprintf("Plan of %s of %s", whose, *a.Node().Path()),
			ApiStages: &[]*awsapigateway.UsagePlanPerApiStage{
				{Api: a.RestApi, Stage: a.RestApi.DeploymentStage()},
			},
			Throttle: &awsapigateway.ThrottleSettings{
				RateLimit:  jsii.Number(c.RateLimit),
				BurstLimit: jsii.Number(c.BurstLimit),
			},
			Quota: c.quota(),
		})
		plan.AddApiKey(key, nil)
		a.ApiKeys[c.Name] = key
		if c.Name == defaultClient {
			a.ApiKey, a.UsagePlan = key, plan
		}
	}
}

func (c Client) quota() *awsapigateway.QuotaSettings {
	if c.Quota == 0 {
		return nil
	}
	return &awsapigateway.QuotaSettings{Limit: jsii.Number(c.Quota), Period: c.QuotaPeriod}
}
