package migrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

const (
	// PhysicalResourceID never changes: CloudFormation would delete the old resource.
	PhysicalResourceID = "millrace-schema"
	// MigrationsProperty is the custom resource's property with the migrations
	// of the declared tables: an object of file names and their text. A file
	// that is added changes the resource, and so is applied by the deploy.
	MigrationsProperty = "Migrations"
	// VersionAttribute is the custom resource's attribute with the schema's version.
	VersionAttribute = "Version"

	// maxReason, in bytes of JSON, keeps the whole answer under the 4,096 that CloudFormation takes
	// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html).
	maxReason = 3000
	// answerWithin is what is left of the invocation for the answer: a function
	// that is cut off never answers, and CloudFormation then waits for an hour.
	answerWithin = 10 * time.Second
)

// New returns a Migrator that obeys s and reads its secret with config's credentials.
func New(s spec.Migrator, config aws.Config) (Migrator, error) {
	client := secretsmanager.NewFromConfig(config)
	m := Migrator{Config: func(ctx context.Context) (postgres.Config, error) {
		username, password, err := postgres.ReadSecret(ctx, client, s.SecretARN)
		if err != nil {
			return postgres.Config{}, err
		}
		return connection(s, username, password), nil
	}}
	err := connection(s, "master", "").Validate()
	if s.SecretARN == "" {
		err = errors.Join(err, errors.New("secret ARN is empty"))
	}
	if err != nil {
		return Migrator{}, fmt.Errorf("reading the migrator's spec: %w", err)
	}
	return m, nil
}

func connection(s spec.Migrator, username, password string) postgres.Config {
	return postgres.Config{
		Database:     s.Database,
		User:         username,
		Authenticate: func(context.Context) (string, error) { return password, nil },
	}
}

// Handle is the [cfn.CustomResourceFunction]: Create and Update migrate, Delete
// leaves the data alone.
func (m Migrator) Handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerWithin))
		defer cancel()
	}
	files, err := filesOf(event.ResourceProperties[MigrationsProperty])
	if err != nil {
		return PhysicalResourceID, nil, short(err)
	}
	m.Files = files
	version, err := m.Migrate(ctx)
	if err != nil {
		return PhysicalResourceID, nil, short(err)
	}
	return PhysicalResourceID, map[string]any{VersionAttribute: strconv.FormatInt(version, 10)}, nil
}

func filesOf(property any) (map[string]string, error) {
	if property == nil {
		return nil, nil
	}
	object, ok := property.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("property %s must be an object of file names and texts", MigrationsProperty)
	}
	files := map[string]string{}
	for name, text := range object {
		if files[name], ok = text.(string); !ok {
			return nil, fmt.Errorf("property %s: file %s must be text", MigrationsProperty, name)
		}
	}
	return files, nil
}

// Refuse is the [cfn.CustomResourceFunction] of a migrator that cannot start: a
// stack that is being deleted goes on, every other one gets the reason.
func Refuse(err error) cfn.CustomResourceFunction {
	return func(_ context.Context, event cfn.Event) (string, map[string]any, error) {
		if event.RequestType == cfn.RequestDelete {
			return event.PhysicalResourceID, nil, nil
		}
		return PhysicalResourceID, nil, short(err)
	}
}

// short cuts an error's text to what CloudFormation takes.
func short(err error) error {
	text := err.Error()
	for {
		quoted, marshalErr := json.Marshal(text)
		if marshalErr != nil || len(quoted) <= maxReason {
			return errors.New(text)
		}
		text = text[:len(text)*3/4] + "…"
	}
}
