package firehose

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var august = time.Date(2018, 8, 7, 9, 5, 3, 123e6, time.UTC)

func TestPrefixIsEvaluatedAsTheDeveloperGuideShows(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"without a prefix the default is yyyy/MM/dd/HH/", "", "2018/08/07/09/"},
		{"a prefix that doesn't contain a timestamp expression gets yyyy/MM/dd/HH/ appended", "lake/", "lake/2018/08/07/09/"},
		{"every instance evaluates to the same instant", "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/", "year=2018/month=08/day=07/hour=09/"},
		{"any string escaped with single quotes is taken literally", "!{timestamp:'year='yyyy'/month='MM'/day='dd'/hour='HH}/", "year=2018/month=08/day=07/hour=09/"},
		{"a doubled quote is a quote", "!{timestamp:yyyy''MM}/", "2018'08/"},
		{"letters repeat for width", "!{timestamp:yy-M-d-H-m-s-DDD}/", "18-8-7-9-5-3-219/"},
		{"months and days have names", "!{timestamp:MMM-MMMM-E-EEEE}/", "Aug-August-Tue-Tuesday/"},
		{"halves of days, fractions of seconds, quarters", "!{timestamp:hh-a-K-k-SSS-nnnnnnnnn-Q}/", "09-AM-9-9-123-123000000-3/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newPrefix(test.text, time.UTC, false)
			require.NoError(t, err)
			assert.Equal(t, test.want, p.evaluate(instance{at: august}))
		})
	}
}

func TestRandomStringEvaluatesToElevenCharactersNewAtEveryInstance(t *testing.T) {
	p, err := newPrefix("!{firehose:random-string}/!{firehose:random-string}/!{timestamp:yyyy}/", time.UTC, false)
	require.NoError(t, err)
	got := p.evaluate(instance{at: august})
	assert.Regexp(t, `^[0-9a-f-]{11}/[0-9a-f-]{11}/2018/$`, got)
	assert.NotEqual(t, got[:11], got[12:23])
}

func TestErrorOutputPrefixIsEvaluatedAsTheDeveloperGuideShows(t *testing.T) {
	for _, test := range []struct{ name, text, prefix, want string }{
		{"with its expression, and no time unless asked for", "failures/!{firehose:error-output-type}/", "", "failures/processing-failed/"},
		{"with a time", "failures/!{firehose:error-output-type}/!{timestamp:yyyy}/", "lake/!{timestamp:yyyy}/", "failures/processing-failed/2018/"},
		{"null, without a prefix", "", "", "processing-failed/2018/08/07/09/"},
		{"null, with a prefix that contains no expressions", "", "lake/", "lake/processing-failed/2018/08/07/09/"},
		{"without expressions", "failures/", "lake/!{timestamp:yyyy}/", "failures/processing-failed/2018/08/07/09/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newErrorPrefix(test.text, test.prefix, time.UTC)
			require.NoError(t, err)
			assert.Equal(t, test.want, p.evaluate(instance{at: august, errorType: processingFailed}))
		})
	}
}

func TestPrefixOutsideTheRulesIsRefused(t *testing.T) {
	for _, test := range []struct{ name, prefix, errorPrefix, want string }{
		{"error output prefix null beside expressions", "!{timestamp:yyyy}/", "", "error output prefix must be given"},
		{"error output prefix without the type", "", "errors/!{timestamp:yyyy}/", "must contain !{firehose:error-output-type}"},
		{"prefix with the type", "!{firehose:error-output-type}/", "errors/", "must not contain !{firehose:error-output-type}"},
		{"the sequence outside an expression", "a!{b/", "errors/", "only in expressions"},
		{"a namespace of dynamic partitioning", "!{partitionKeyFromLambda:type}/", "errors/", "partitionKeyFromLambda:type"},
		{"a letter that is not supported", "!{timestamp:yyyy-ww}/", "errors/", `'w' in "yyyy-ww"`},
		{"an open quote", "!{timestamp:'year}/", "errors/", "close its quotes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, first := newPrefix(test.prefix, time.UTC, false)
			_, second := newErrorPrefix(test.errorPrefix, test.prefix, time.UTC)
			err := first
			if err == nil {
				err = second
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestObjectNameIsStreamVersionTimeAndUUID(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	p, err := newPrefix("!{timestamp:HH}/", zone, false)
	require.NoError(t, err)
	s := &settings{name: "lake", version: "3"}
	assert.Equal(t, "18/lake-3-2018-08-07-18-05-03-id.gz", p.key(s, instance{at: august}, "id", ".gz"))
}
