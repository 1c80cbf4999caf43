package loader

import (
	"cmp"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

// New returns a Loader that obeys s and authenticates by IAM with config's
// credentials. It does not connect yet.
func New(s spec.Loader, config aws.Config, log *slog.Logger) (*Loader, error) {
	user := cmp.Or(s.User, spec.LoaderRole)
	connection := postgres.Config{
		Database:     s.Database,
		User:         user,
		Authenticate: postgres.IAMToken(config, s.Database, user),
	}
	if err := connection.Validate(); err != nil {
		return nil, fmt.Errorf("reading the loader's spec: %w", err)
	}
	store, err := NewPostgres(connection, s.Tables)
	if err != nil {
		return nil, fmt.Errorf("reading the loader's spec: %w", err)
	}
	return &Loader{Store: store, Log: log}, nil
}
