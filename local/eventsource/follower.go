package eventsource

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// follower finds the mappings to poll for, and keeps their checkpoints while
// they are disabled too.
type follower struct {
	lambda      *lambda.Client
	state       string // folder; "": none
	log         *slog.Logger
	checkpoints map[string]*checkpoint // by UUID
	roles       map[string]string      // by function ARN
	said        map[string]string      // by UUID: what is wrong with a mapping
}

func newFollower(client *lambda.Client, state string, log *slog.Logger) *follower {
	return &follower{
		lambda: client, state: state, log: log,
		checkpoints: map[string]*checkpoint{}, roles: map[string]string{}, said: map[string]string{},
	}
}

const checkpointSuffix = ".checkpoint.json"

// prepare makes the folder of the checkpoints, and removes those of mappings
// that are no more.
func (f *follower) prepare(ctx context.Context) error {
	if f.state != "" {
		if err := os.MkdirAll(f.state, 0o700); err != nil {
			return fmt.Errorf("eventsource: making the folder of checkpoints: %w", err)
		}
	}
	if _, err := f.list(ctx); err != nil {
		return fmt.Errorf("eventsource: %w", err)
	}
	if f.state == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(f.state, "*"+checkpointSuffix))
	if err != nil {
		return fmt.Errorf("eventsource: listing checkpoints: %w", err)
	}
	for _, file := range files {
		uuid := filepath.Base(file[:len(file)-len(checkpointSuffix)])
		if f.checkpoints[uuid] != nil {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("eventsource: removing a checkpoint: %w", err)
		}
	}
	return nil
}

// list returns the settings of every enabled mapping on a Kinesis stream.
func (f *follower) list(ctx context.Context) (map[string]settings, error) {
	deployed, enabled := map[string]bool{}, map[string]settings{}
	pages := lambda.NewListEventSourceMappingsPaginator(f.lambda, &lambda.ListEventSourceMappingsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing event source mappings: %w", err)
		}
		for _, m := range page.EventSourceMappings {
			source, err := arn.Parse(aws.ToString(m.EventSourceArn))
			if err != nil || source.Service != "kinesis" {
				continue
			}
			s, err := newSettings(m, source)
			if err != nil {
				f.say(s.uuid, err)
			}
			deployed[s.uuid] = true
			if err := f.remember(s.uuid); err != nil {
				return nil, err
			}
			if isEnabled(aws.ToString(m.State)) {
				s.role = f.role(ctx, s)
				enabled[s.uuid] = s
			}
		}
	}
	for uuid, c := range f.checkpoints {
		if !deployed[uuid] {
			if err := c.remove(); err != nil {
				return nil, err
			}
			delete(f.checkpoints, uuid)
		}
	}
	return enabled, nil
}

// isEnabled tells the states in which AWS polls, or soon does, from the others
// (API reference: EventSourceMappingConfiguration).
func isEnabled(state string) bool {
	switch state {
	case "Enabled", "Enabling", "Creating", "Updating":
		return true
	}
	return false
}

// remember loads or makes the checkpoint of a mapping.
func (f *follower) remember(uuid string) error {
	if f.checkpoints[uuid] != nil {
		return nil
	}
	file := ""
	if f.state != "" {
		file = filepath.Join(f.state, uuid+checkpointSuffix)
	}
	c, err := loadCheckpoint(file, f.log.With("mapping", uuid))
	if err == nil {
		f.checkpoints[uuid] = c
	}
	return err
}

// role returns the ARN of the role of a mapping's function, "" when it cannot be had.
func (f *follower) role(ctx context.Context, s settings) string {
	if f.roles[s.function] == "" {
		configuration, err := f.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &s.function})
		if err != nil {
			f.log.Debug("a mapping's function has no configuration", "mapping", s.uuid, "error", err)
			return "" // invoking it fails too, and says so
		}
		f.roles[s.function] = aws.ToString(configuration.Role)
	}
	return f.roles[s.function]
}

// say says once what of a mapping is not supported.
func (f *follower) say(uuid string, err error) {
	if f.said[uuid] == err.Error() {
		return
	}
	f.said[uuid] = err.Error()
	f.log.Error("this event source mapping is polled without what is not supported here", "mapping", uuid, "error", err)
}
