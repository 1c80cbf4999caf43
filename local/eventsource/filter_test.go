package eventsource

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func criteria(patterns ...string) *types.FilterCriteria {
	c := &types.FilterCriteria{}
	for _, p := range patterns {
		c.Filters = append(c.Filters, types.Filter{Pattern: aws.String(p)})
	}
	return c
}

func mustFilter(t *testing.T, patterns ...string) filters {
	t.Helper()
	f, err := newFilters(criteria(patterns...))
	require.NoError(t, err)
	return f
}

// invocation-eventfiltering: "all the comparison operators available for Lambda event filtering"
func TestRulesOfEventFiltering(t *testing.T) {
	for name, c := range map[string]struct{ rule, passes, is string }{
		"UserID is null":                           {`"UserID":[null]`, `{"UserID":null}`, `{"UserID":""}`},
		"LastName is empty":                        {`"LastName":[""]`, `{"LastName":""}`, `{"LastName":null}`},
		"Name is Alice":                            {`"Name":["Alice"]`, `{"Name":"Alice"}`, `{"Name":"alice"}`},
		"Name is Alice, ignoring case":             {`"Name":[{"equals-ignore-case":"alice"}]`, `{"Name":"ALICE"}`, `{"Name":"Alicia"}`},
		"Location and Day":                         {`"Location":["New York"],"Day":["Monday"]`, `{"Location":"New York","Day":"Monday"}`, `{"Location":"New York"}`},
		"PaymentType is Credit or Debit":           {`"PaymentType":["Credit","Debit"]`, `{"PaymentType":"Debit"}`, `{"PaymentType":"Cash"}`},
		"Location or Day":                          {`"$or":[{"Location":["New York"]},{"Day":["Monday"]}]`, `{"Location":"Rome","Day":"Monday"}`, `{"Location":"Rome","Day":"Friday"}`},
		"Weather is anything but Raining":          {`"Weather":[{"anything-but":["Raining"]}]`, `{"Weather":"Sunny"}`, `{"Weather":"Raining"}`},
		"anything but needs the field":             {`"Weather":[{"anything-but":"Raining"}]`, `{"Weather":7}`, `{}`},
		"Price is 100":                             {`"Price":[{"numeric":["=",100]}]`, `{"Price":1e2}`, `{"Price":"100"}`},
		"Price is more than 10 and at most 20":     {`"Price":[{"numeric":[">",10,"<=",20]}]`, `{"Price":20}`, `{"Price":10}`},
		"Price is at least 10 and less than 20":    {`"Price":[{"numeric":[">=",10,"<",20]}]`, `{"Price":10}`, `{"Price":20}`},
		"ProductName exists":                       {`"ProductName":[{"exists":true}]`, `{"ProductName":null}`, `{"Product":1}`},
		"exists works on leaves":                   {`"Product":[{"exists":true}]`, `{"Product":[]}`, `{"Product":{"Name":1}}`},
		"ProductName does not exist":               {`"ProductName":[{"exists":false}]`, `{"Product":1}`, `{"ProductName":null}`},
		"does not exist in what does not":          {`"Product":{"Name":[{"exists":false}]}`, `{}`, `{"Product":{"Name":1}}`},
		"Region is in the US":                      {`"Region":[{"prefix":"us-"}]`, `{"Region":"us-east-1"}`, `{"Region":"eu-west-1"}`},
		"FileName ends with .png":                  {`"FileName":[{"suffix":".png"}]`, `{"FileName":"a.png"}`, `{"FileName":5}`},
		"numbers are compared as they are written": {`"n":[300]`, `{"n":300}`, `{"n":3.0e2}`},
		"true":                     {`"ok":[true]`, `{"ok":true}`, `{"ok":"true"}`},
		"nested fields":            {`"order":{"type":["buy"]}`, `{"order":{"type":"buy"}}`, `{"type":"buy"}`},
		"one of an array's values": {`"tags":["a"]`, `{"tags":["b","a"]}`, `{"tags":["b"]}`},
		"all fields of one of an array's objects":      {`"o":{"a":[1],"b":[2]}`, `{"o":[{"a":3},{"a":1,"b":2}]}`, `{"o":[{"a":1},{"b":2}]}`},
		"JSON that is no object satisfies no filter":   {`"a":[1]`, `{"a":1}`, `1`},
		"data that is no JSON at all is dropped":       {`"a":[1]`, `{"a":1}`, `a`},
		"two values are no JSON":                       {`"a":[1]`, `{"a":1}`, `{"a":1}{"a":1}`},
		"what is compared as text must be a string":    {`"a":[{"equals-ignore-case":"1"}]`, `{"a":"1"}`, `{"a":1}`},
		"comparisons work on leaf nodes, not on trees": {`"a":[{"anything-but":1}]`, `{"a":2}`, `{"a":{"b":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := mustFilter(t, `{"data":{`+c.rule+`}}`)
			assert.True(t, f.match([]byte(c.passes)), c.passes)
			assert.False(t, f.match([]byte(c.is)), c.is)
		})
	}
}

// invocation-eventfiltering: "If an event satisfies any one of these five filters, Lambda sends the event to your function."
func TestRecordPassesIfItSatisfiesAnyOneOfTheFilters(t *testing.T) {
	f := mustFilter(t, `{"data":{"a":[1]}}`, `{"data":{"b":[1]}}`)
	assert.True(t, f.match([]byte(`{"b":1}`)))
	assert.False(t, f.match([]byte(`{"c":1}`)))
}

func TestWithoutFiltersEverythingPasses(t *testing.T) {
	for _, none := range []*types.FilterCriteria{nil, criteria()} {
		f, err := newFilters(none)
		require.NoError(t, err)
		assert.True(t, f.match([]byte("no JSON")))
	}
}

// with-kinesis-filtering: "Kinesis event source mappings only support filtering on the data key."
func TestFilterThatIsNotSupportedIsRefused(t *testing.T) {
	for pattern, says := range map[string]string{
		`{"partitionKey":["1"],"data":{}}`:  `must be on "data" only, got "partitionKey"`,
		`{"data":["text"]}`:                 `"data" must be a JSON object`,
		`[]`:                                "must be a JSON object",
		`{`:                                 "reading JSON",
		`{"data":{"a":1}}`:                  "a: must be an array or an object",
		`{"data":{"a":[{"wildcard":"*"}]}}`: "wildcard: operator is not supported",
		`{"data":{"a":[{"anything-but":{"prefix":"a"}}]}}`: "anything-but: operator is not supported",
		`{"data":{"a":[{"anything-but":[{}]}]}}`:           "must have strings or numbers",
		`{"data":{"a":[{"exists":1}]}}`:                    "exists: operator is not supported",
		`{"data":{"a":[{"prefix":"a","suffix":"b"}]}}`:     "must have one operator, got 2",
		`{"data":{"a":[{"numeric":["="]}]}}`:               "must have a number after each operator",
		`{"data":{"a":[{"numeric":["=","1"]}]}}`:           "must have numbers, got 1",
		`{"data":{"a":[{"numeric":["!",1]}]}}`:             "must have =, <, <=, > or >=, got !",
		`{"data":{"$or":["a"]}}`:                           "$or: must be an array of objects",
	} {
		_, err := newFilters(criteria(pattern))
		assert.ErrorContains(t, err, says, pattern)
	}
}
