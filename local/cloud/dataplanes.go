package cloud

import (
	"cmp"
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/millrace-cdk/millrace/local/eventsource"
	"github.com/millrace-cdk/millrace/local/firehose"
	"github.com/millrace-cdk/millrace/local/gateway"
	"github.com/millrace-cdk/millrace/local/internal/metrics"
)

// startDataPlanes starts what acts on whatever is deployed from now on.
func (s *supervisor) startDataPlanes(ctx context.Context) error {
	// They end one after the other by their Close, not all at once by ctx.
	ctx = context.WithoutCancel(ctx)
	aws := config(s.emulator.endpoint)
	node, err := node()
	if err != nil {
		return err
	}

	measured := metrics.Start(ctx, cloudwatch.NewFromConfig(aws), s.Log.With("of", "metrics"))
	s.closeLater(measured)

	s.closeLater(watchDatabases(ctx, aws, s.postgres, s.restarted, s.Log.With("of", "databases")))

	api, err := gateway.Start(ctx, gateway.Config{
		AWS: aws, Listen: "127.0.0.1:" + strconv.Itoa(s.GatewayPort), Node: node, Root: s.Root, Metrics: measured, Log: s.Log.With("of", "gateway"),
	})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func(context.Context) error { return api.Close() })
	s.state.Gateway = api.Addr()

	delivery, err := firehose.Start(ctx, firehose.Config{
		AWS: aws, TimeScale: cmp.Or(s.TimeScale, DefaultTimeScale), State: s.dir.path("tmp", "firehose"), Metrics: measured, Log: s.Log.With("of", "firehose"),
	})
	if err != nil {
		return err
	}
	s.closeLater(delivery)

	poller, err := eventsource.Start(ctx, eventsource.Config{
		AWS: aws, TimeScale: cmp.Or(s.TimeScale, DefaultTimeScale), State: s.dir.path("tmp", "eventsource"), Metrics: measured, Log: s.Log.With("of", "eventsource"),
	})
	if err != nil {
		return err
	}
	s.closeLater(poller)
	return nil
}

func (s *supervisor) closeLater(running interface{ Close() }) {
	s.stops = append(s.stops, func(context.Context) error { running.Close(); return nil })
}
