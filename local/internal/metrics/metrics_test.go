package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/metrics"
)

type fake func(*cloudwatch.PutMetricDataInput) error

func (f fake) PutMetricData(_ context.Context, input *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error) {
	return &cloudwatch.PutMetricDataOutput{}, f(input)
}

func TestValuesOfOneSecondArePublishedAsOneStatisticSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var put []*cloudwatch.PutMetricDataInput
		p := metrics.Start(t.Context(), fake(func(input *cloudwatch.PutMetricDataInput) error {
			put = append(put, input)
			return nil
		}), slog.New(slog.DiscardHandler))
		of := metrics.Dimension{Name: "FunctionName", Value: "loader"}
		for _, age := range []float64{5, 1, 3} {
			p.Add("AWS/Lambda", "IteratorAge", types.StandardUnitMilliseconds, age, of)
		}
		p.Add("AWS/Lambda", "IteratorAge", types.StandardUnitMilliseconds, 9, metrics.Dimension{Name: "FunctionName", Value: "other"})
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		require.Len(t, put, 1)
		require.Len(t, put[0].MetricData, 2)
		datum := put[0].MetricData[0]
		assert.Equal(t, "AWS/Lambda", *put[0].Namespace)
		assert.Equal(t, "IteratorAge", *datum.MetricName)
		assert.Equal(t, "loader", *datum.Dimensions[0].Value)
		s := datum.StatisticValues
		assert.Equal(t, []float64{3, 9, 1, 5}, []float64{*s.SampleCount, *s.Sum, *s.Minimum, *s.Maximum})

		p.Add("AWS/Firehose", "DeliveryToS3.Success", types.StandardUnitCount, 1)
		p.Close()
		assert.Len(t, put, 2, "what is left is published at the end")
	})
}

func TestAMetricThatCannotBePublishedStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tried := 0
		p := metrics.Start(t.Context(), fake(func(*cloudwatch.PutMetricDataInput) error {
			tried++
			return errors.New("no")
		}), slog.New(slog.DiscardHandler))
		for range 2 {
			p.Add("n", "m", types.StandardUnitCount, 1)
			time.Sleep(2 * time.Second)
		}
		p.Close()
		assert.Equal(t, 2, tried)
	})
}

func TestWithoutAPublisherValuesAreForgotten(t *testing.T) {
	var none *metrics.Publisher
	assert.NotPanics(t, func() { none.Add("n", "m", types.StandardUnitCount, 1) })
}
