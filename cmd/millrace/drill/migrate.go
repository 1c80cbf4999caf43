package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-cdk/millrace/spec"
)

// migrate has the deployed migrator make the tables, as CloudFormation does in a deploy.
func (l *line) migrate(ctx context.Context) error {
	answers := make(chan cfn.Response, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var answer cfn.Response
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
			answer = cfn.Response{Status: cfn.StatusFailed, Reason: err.Error()}
		}
		answers <- answer
	}))
	defer server.Close()
	event, err := json.Marshal(cfn.Event{RequestType: cfn.RequestUpdate, RequestID: "drill", ResponseURL: server.URL, StackID: "drill", LogicalResourceID: "drill", ResourceType: "Custom::Schema"})
	if err != nil {
		return err
	}
	name, err := l.migrator(ctx)
	if err != nil {
		return err
	}
	output, err := l.function.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: event})
	if err != nil {
		return fmt.Errorf("invoking the migrator: %w", err)
	}
	if output.FunctionError != nil {
		return fmt.Errorf("migrating: %s: %s", *output.FunctionError, output.Payload)
	}
	if answer := <-answers; answer.Status != cfn.StatusSuccess {
		return fmt.Errorf("migrating: %s", answer.Reason)
	}
	return nil
}

// migrator is the function that was given the database's secret.
func (l *line) migrator(ctx context.Context) (string, error) {
	pages := lambda.NewListFunctionsPaginator(l.function, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("looking for the migrator: %w", err)
		}
		for _, f := range page.Functions {
			var s spec.Migrator
			if f.Environment != nil && spec.Decode(f.Environment.Variables[spec.Variable], &s) == nil && s.SecretARN != "" {
				return aws.ToString(f.FunctionName), nil
			}
		}
	}
	return "", fmt.Errorf("no migrator is deployed")
}
