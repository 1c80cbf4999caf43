package observe

import (
	"errors"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// Cost computes what a million events cost, hour by hour, of what was counted and of prices. It is
// an estimate of the parts that grow with the events and of what runs always, and not the
// bill: requests to S3, logs and a month's free tiers are not in it.
type Cost struct {
	// Requests are the API's. Default: none.
	Requests awscloudwatch.IMetric
	// Records are the stream's, of which each is an event. Required.
	Records awscloudwatch.IMetric
	// Bytes are the stream's. Required.
	Bytes awscloudwatch.IMetric
	// Prices are those that count.
	Prices Prices
}

// Prices are in US dollars, of the region that the line runs in.
type Prices struct {
	// MillionRequests is for a million requests to the API.
	MillionRequests float64
	// MillionRecords is for a million records of what is billed by the record: a delivery stream
	// bills each as 5 KiB at least.
	// https://aws.amazon.com/firehose/pricing/
	MillionRecords float64
	// GB is for 10^9 bytes into the stream and out to all its readers.
	GB float64
	// Hour is for an hour of what runs without events too: the stream, the database.
	Hour float64
}

func (c *Cost) validate() error {
	var errs []error
	if c.Records == nil || c.Bytes == nil {
		errs = append(errs, errors.New("cost must have records and bytes"))
	}
	p := c.Prices
	if min(p.MillionRequests, p.MillionRecords, p.GB, p.Hour) < 0 || p == (Prices{}) {
		errs = append(errs, errors.New("prices must be positive, or 0 but for one"))
	}
	return errors.Join(errs...)
}

// metric has an hour's period, that of Prices.Hour.
func (c *Cost) metric() awscloudwatch.IMetric {
	p := c.Prices
	price := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	terms := []string{price(p.Hour), "records * " + price(p.MillionRecords) + " / 1000000", "bytes * " + price(p.GB) + " / 1000000000"}
	metrics := map[string]awscloudwatch.IMetric{"records": c.Records, "bytes": c.Bytes}
	if c.Requests != nil {
		terms = append(terms, "requests * "+price(p.MillionRequests)+" / 1000000")
		metrics["requests"] = c.Requests
	}
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String("1000000 * (" + strings.Join(terms, " + ") + ") / records"),
		UsingMetrics: &metrics,
		Label:        jsii.String("US dollars per million events"),
		Period:       awscdk.Duration_Hours(jsii.Number(1)),
	})
}
