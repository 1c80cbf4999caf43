package vtl_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

func newEngine(t testing.TB, config vtl.Config) *vtl.Engine {
	t.Helper()
	e, err := vtl.New(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

func TestTemplatesRenderAsOnAPIGateway(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	const events = `{"events":[{"id":"a","n":1},{"id":"b","n":2,"o":{"k":[true,null]}}]}`
	tests := []struct{ name, body, template, want string }{
		{"the raw body", `{ "a" : 1.10 }`, `$input.body`, `{ "a" : 1.10 }`},
		{"the body as JSON", `{ "a" : 1.10 , "é":"\u00e9"}`, `$input.json('$')`, `{"a":1.10,"é":"é"}`},
		{
			"exact numbers", `[9007199254740993,123456789012345678901234567890,1e-7,1.10,-0,1E400]`, `$input.json('$')`,
			`[9007199254740993,123456789012345678901234567890,1e-7,1.10,-0,1E400]`,
		},
		{"exact numbers in a loop", `{"n":[9007199254740993,1e-7,1.10]}`, `#foreach($n in $input.path('$.n'))$n;#end`, `9007199254740993;1e-7;1.10;`},
		{
			"an element by a computed path", events, `#foreach($e in $input.path('$.events'))$input.json("$.events[$foreach.index]")|#end`,
			`{"id":"a","n":1}|{"id":"b","n":2,"o":{"k":[true,null]}}|`,
		},
		{"an indefinite path is a list", events, `$input.json('$.events[*].id')`, `["a","b"]`},
		{"an indefinite path of one is a list", events, `$input.json('$..k')`, `[[true,null]]`},
		{"a number has no members", `{"a":1}`, `$input.json('$..value')$input.json('$.a.value')`, `[]""`},
		{"the last of equal keys", `{"a":1,"a":2}`, `$input.json('$')`, `{"a":2}`},
		{
			"keys of JavaScript's", `{"__proto__":1,"constructor":2,"toString":3,"size":4}`,
			`$input.json('$') $input.path('$').toString $input.path('$').size() $input.path('$').get("__proto__")`,
			`{"__proto__":1,"constructor":2,"toString":3,"size":4} 3 4 1`,
		},
		{"a missing key is no value", `{}`, `[$input.json('$.constructor')$input.path('$.toString')$input.path('$').constructor]`, `[""]`},
		{"an empty body", ``, `$input.body$input.json('$')$input.path('$.a')`, `{}{}`},
		{"a map prints as Java's, a list in it as JSON", events, `$input.path('$.events[1]')`, `{id=b, n=2, o={k=[true,null]}}`},
		{"a list prints as JSON", `{"l":[{"a":"x"}]}`, `$input.path('$.l')`, `[{"a":"x"}]`},
		{"a list written in the template prints as Java's", ``, `#set($l = [1, "b"])$l`, `[1, b]`},
		{
			"foreach", events, `#foreach($e in $input.path('$.events'))$foreach.index$foreach.count$velocityCount$foreach.first$foreach.last$e.id#if($foreach.hasNext),#end#end`,
			`011truefalsea,122falsetrueb`,
		},
		{"foreach over a map's values, then a variable", `{"a":1,"b":2}`, `#foreach($v in $input.path('$'))$v#end#set($x = 3)$x`, `123`},
		{"a path to what JavaScript's values have and JSON has not", `{"s":"abc","l":[1,[2]],"m":{"length":7}}`, `[$!input.path('$.s.length')][$!input.path('$.l.length')][$!input.json('$.m.length')][$input.json('$..length')][$input.json('$.l[1][0]')]`, `[][][7][[7]][2]`},
		{"texts in order", `{}`, `#set($a = "a")#set($b = "b")$b.compareTo($a)#if($a.compareTo($b) < 0)<#end#if($a.compareTo("a") == 0)=#end`, `1<=`},
		{"foreach over a map with a key of JavaScript's", `{"constructor":1,"length":2}`, `#foreach($v in $input.path('$'))$v#end`, `12`},
		{"break ends the iteration too", ``, `#foreach($i in [1..5])$i#if($i == 2)#break#end;#end.`, `1;2.`},
		{"entries", `{"a":1,"b":"x"}`, `#foreach($e in $input.path('$').entrySet())$e.key=$e.getValue();#end`, `a=1;b=x;`},
		{"keys", `{"a":1,"b":"x"}`, `#foreach($k in $input.path('$').keySet())$k=$input.path('$').get($k);#end`, `a=1;b=x;`},
		{"list methods", `[1,2,3]`, `#set($l=$input.path('$'))$l.size()$l.isEmpty()$l.get(1)$l[2]$l.contains(3)$l.indexOf(9)`, `3false23true-1`},
		{
			"string methods", `{"s":"It's a test"}`, `#set($s=$input.path('$.s'))$s.length()|$s.startsWith("It")|$s.contains("x")|$s.toUpperCase()|$s.replaceAll("[aeiou]", "<$0>")|$s.equals("y")|$s.substring(0,4)|$s.split(" ").size()`,
			`11|true|false|IT'S A TEST|It's <a> t<e>st|false|It's|3`,
		},
		{"a client's key is no method", `{"a":{"replaceAll":1}}`, `[$input.path('$.a').replaceAll("a","b")]`, `[]`},
		{"escapeJavaScript", `{"s":"a'b\"c\\d/e\n\u2028é\u0001"}`, `$util.escapeJavaScript($input.path('$.s'))`, `a\'b\"c\\d\/e\n\u2028\u00E9\u0001`},
		{"the documented way to valid JSON", `{"s":"it's"}`, `"$util.escapeJavaScript($input.path('$.s')).replaceAll("\\'","'")"`, `"it's"`},
		{"urlEncode", `{"s":"a b&c=é*~"}`, `$util.urlEncode($input.path('$.s')) $util.urlDecode("a+b%26")`, `a+b%26c%3D%C3%A9*%7E a b&`},
		{"base64", `{"s":"é€😀"}`, `$util.base64Encode($input.path('$.s')) $util.base64Decode("w6k=")`, `w6nigqzwn5iA é`},
		{"parseJson", `{"s":"{\"n\":9007199254740993}"}`, `$util.parseJson($input.path('$.s')).n`, `9007199254740993`},
		{"params", ``, `$input.params('id')|$input.params('q')|$input.params('X-Key')|$input.params('none')|$input.params().header.get('x-key')`, `p|query|k||k`},
		{
			"all params", ``, `#set($all = $input.params())#foreach($t in $all.keySet())$t:#foreach($p in $all.get($t).keySet())$p=$all.get($t).get($p) #end#end`,
			`path:id=p querystring:id=no q=query header:x-key=k `,
		},
		{"context and stage variables", ``, `$context.requestId $context.identity.sourceIp "$context.identity.caller" $stageVariables.v`, `r-1 127.0.0.1 "" s`},
		{"undefined references", ``, `$x $!x ${x} $x.y.z() $!x.y $x.f("a")`, `$x  ${x} $x.y.z()  $x.f("a")`},
		{"text that is no reference", ``, `{"a": "$5.00 #1 $", "b": "100%"}`, `{"a": "$5.00 #1 $", "b": "100%"}`},
		{
			"numbers compare by value", `{"a":1.0,"b":9007199254740993,"c":9007199254740992}`,
			`#if($input.path('$.a') == 1)eq#end#if($input.path('$.b') == $input.path('$.c'))bad#end#if($input.path('$.b') > $input.path('$.c'))gt#end`, `eqgt`,
		},
		{"zero is a number", `{"a":0}`, `#if($input.path('$.a') == 0)zero#end`, `zero`},
		{"integers divide as Java's", ``, `#set($x = 7 / 2)$x`, `3`},
		{"as deep as can be", strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500), `$input.json('$..b')$util.base64Encode($input.json('$')).length()`, "[]" + fmt.Sprint((500*6+1+2)/3*4)},
		{"escapes", `{"\u0061\"":"\n\/\ud83d\ude00","b":""}`, `$input.json('$')`, `{"a\"":"\n/😀","b":""}`},
		{"blanks", " [ 1 ,\r\n\t{ \"a\" : [ ] , \"b\" : { } } , null , true , false , -0.0e-1 ] ", `$input.json('$')`, `[1,{"a":[],"b":{}},null,true,false,-0.0e-1]`},
		{"null is no value", `{"a":null}`, `#set($a = $input.path('$.a'))#if(!$a)none#end $input.json('$.a')`, `none null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := engine.Render(t.Context(), vtl.Request{
				Name: tt.name, Template: tt.template, Body: []byte(tt.body),
				Path: map[string]string{"id": "p"}, Query: map[string]string{"id": "no", "q": "query"}, Headers: map[string]string{"x-key": "k"},
				Context:        map[string]any{"requestId": "r-1", "identity": map[string]any{"sourceIp": "127.0.0.1"}},
				StageVariables: map[string]string{"v": "s"},
			})
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.Text)
		})
	}
}

func TestATemplateOverridesTheResponseAndTheRequest(t *testing.T) {
	engine := newEngine(t, vtl.Config{})

	got, err := engine.Render(t.Context(), vtl.Request{Template: `
#set($context.responseOverride.status = 207)
#set($context.responseOverride.header.Retry-After = "1")
#set($context.responseOverride.header["x-a.b"] = $input.path('$.n'))
#set($context.requestOverride.header.y = "z")
#set($context.requestOverride.querystring.q = 1)
#set($context.requestOverride.path.p = "/")`, Body: []byte(`{"n":1.10}`)})

	require.NoError(t, err)
	assert.Equal(t, vtl.Result{
		Text: "\n", Status: 207, Headers: map[string]string{"Retry-After": "1", "x-a.b": "1.10"},
		Request: vtl.Overrides{Headers: map[string]string{"y": "z"}, Query: map[string]string{"q": "1"}, Path: map[string]string{"p": "/"}},
	}, got)
}

func TestOneRequestsVariablesDoNotReachTheNext(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	set := vtl.Request{Template: `#set($context.responseOverride.status = 500)#set($x = 1)#macro(m)m#end`}
	_, err := engine.Render(t.Context(), set)
	require.NoError(t, err)

	got, err := engine.Render(t.Context(), vtl.Request{Template: `$x#m()`})

	require.NoError(t, err)
	assert.Equal(t, "$x", got.Text)
	assert.Zero(t, got.Status)
}

// The promise of POST /events: $input.body through base64Encode is the client's bytes.
func TestNastyBodiesKeepTheirBytes(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	for name, body := range nastyBodies() {
		t.Run(name, func(t *testing.T) {
			got, err := engine.Render(t.Context(), vtl.Request{Template: `{"Data": "$util.base64Encode($input.body)"}`, Body: []byte(body)})
			require.NoError(t, err)
			var request struct{ Data []byte }
			require.NoError(t, json.Unmarshal([]byte(got.Text), &request))
			assert.Equal(t, body, string(request.Data))
		})
	}
}

// The promise of POST /events/batch: $input.json keeps every value.
func TestNastyBodiesKeepTheirValues(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	for name, body := range nastyBodies() {
		if !json.Valid([]byte(body)) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got, err := engine.Render(t.Context(), vtl.Request{
				Template: `$util.base64Encode($input.json("$.events[$input.path('$.i')]"))`,
				Body:     []byte(`{"i":0,"events":[` + body + `]}`),
			})
			require.NoError(t, err)
			event, err := base64.StdEncoding.DecodeString(got.Text)
			require.NoError(t, err)
			assert.Equal(t, decode(t, body), decode(t, string(event)))
		})
	}
}

func nastyBodies() map[string]string {
	return map[string]string{
		"quotes and backslashes": `{"a\"b":"c\\\"d'e","f":"\\\\"}`,
		"directives":             `{"a":"#foreach($x in [1])$x#end #set($y=1) ${input.body} $util #end ## #* *# #[[ ]]# \\$x \\#if"}`,
		"directives in keys":     `{"$input.body":1,"#end":2,"${x}":3,"$!x":4}`,
		"breaking out":           `{"a":"\"},{\"Data\":\"eA==\",\"PartitionKey\":\"z"}`,
		"line ends":              "{\"a\":\r\n\t1,\n\"b\":\"\\n\\r\u2028\u2029\u0085\"}",
		"lone surrogates":        `{"a":"\ud800","b":"\udc00x","\ud83d":1}`,
		"unicode":                `{"é":"漢字 😀 \u0000 \u007f","e\u0301":"` + "\ufeff\u200b\u202e" + `"}`,
		"numbers":                `{"n":[9007199254740993,123456789012345678901234567890,1e-7,1.10,-0.0,1E+400,0.1e1]}`,
		"nested nulls":           `{"a":[null,{"b":null,"c":[[],{},""]}]}`,
		"empty keys":             `{"":{"":""},"__proto__":{"x":1},"constructor":null,"eval":1,"length":9}`,
		"not an object":          `"$input"`,
		"not JSON":               "\x00\x01 $util #end",
		"only blanks":            " \n\t ",
		"large":                  `{"a":"` + strings.Repeat("é\\\"$x", 200_000) + `"}`,
	}
}

// decode keeps numbers as written, and lone surrogates by telling them apart before Go replaces them.
func decode(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(strings.ReplaceAll(s, `\ud`, `\\ud`)))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

func TestInvalidUTF8IsRefused(t *testing.T) {
	engine := newEngine(t, vtl.Config{})

	_, err := engine.Render(t.Context(), vtl.Request{Template: `$input.body`, Body: []byte("\"\xff\"")})

	var refused *vtl.BodyError
	require.ErrorAs(t, err, &refused)
	assert.EqualError(t, err, "the body is not valid UTF-8")
}

func TestABodyThatIsNotJSONIsTheBodysFault(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	deep := strings.Repeat("[", 100_000)
	for body, want := range map[string]string{
		`{"a":`: "not JSON: unexpected end", `nope`: `not JSON: unexpected "n" at position 0`, deep: "nested too deeply",
		strings.Repeat(`{"a":`, 501) + "1" + strings.Repeat("}", 501): "nested too deeply",
		`{"a":1,}`: `unexpected "}"`, `{a:1}`: `unexpected "a"`, `[1 2]`: `unexpected "2"`, `[01]`: `unexpected "1"`, `[1.]`: `unexpected "."`, `[+1]`: `unexpected "+"`,
		`[.5]`: `unexpected "."`, `[NaN]`: `unexpected "N"`, `[nul]`: `unexpected "n"`, "\"a\tb\"": `unexpected "\t"`, `"a\x"`: "not JSON", `"\u12"`: "not JSON", `"a`: "unexpected end",
		`"a\`: "unexpected end", `{"a":1}{}`: `unexpected "{"`, "\ufeff{}": "unexpected", "\u00a01": "unexpected", `'a'`: "unexpected", `{"a"}`: `unexpected "}"`,
	} {
		_, err := engine.Render(t.Context(), vtl.Request{Template: `$input.json('$.a')`, Body: []byte(body)})

		var refused *vtl.BodyError
		require.ErrorAs(t, err, &refused)
		assert.ErrorContains(t, err, want)
	}
}

func TestABrokenTemplateSaysWhere(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	tests := map[string]string{
		"{\n#set($x = )\n}":                                    `template "POST /events", line 2, column 9: unexpected ")"`,
		"ok\n $util.parseJson('{')":                            `template "POST /events", line 2, column 2: unexpected end`,
		"\n#foreach($i in [1..1001])$i#end":                    `template "POST /events", line 2, column 1: #foreach over 1001 elements: API Gateway stops at 1000`,
		"\n\n#set($x = \"a $util.urlDecode('%')\")":            `template "POST /events", line 3, column 1: URI malformed`,
		`#macro(m)#m()#end#m()`:                                `template "POST /events": Maximum call stack size exceeded`,
		"#set($s = 'a')\n#if($s.matches('('))#end after $s.no": `template "POST /events", line 2, column 1: Invalid regular expression: /^(?:()$/: Unterminated group`,
	}
	for template, want := range tests {
		_, err := engine.Render(t.Context(), vtl.Request{Name: "POST /events", Template: template})

		var broken *vtl.TemplateError
		require.ErrorAs(t, err, &broken, template)
		assert.EqualError(t, err, want)
	}
	got, err := engine.Render(t.Context(), vtl.Request{Template: `still here`})
	require.NoError(t, err, "errors must not end the process")
	assert.Equal(t, "still here", got.Text)
}

func TestRequestsAtOnceGetTheirOwnAnswers(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"i":%d,"pad":"%s"}`, i, strings.Repeat("x", i*100))
			got, err := engine.Render(t.Context(), vtl.Request{Template: `$input.path('$.i')`, Body: []byte(body)})
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(i), got.Text)
		})
	}
	wg.Wait()
}

func TestACrashFailsTheRequestAndTheNextOneWorks(t *testing.T) {
	// A node that kills its engine when it reads the word: a crash from outside, such as for want of memory.
	node := filepath.Join(t.TempDir(), "node")
	script := "#!/bin/sh\necho dying: no memory >&2\n" +
		`exec node --import 'data:text/javascript,process.stdin.prependListener("data",(c)=>{if(c.includes("CRASH"))process.kill(process.pid,"SIGKILL")})' "$@"` + "\n"
	require.NoError(t, os.WriteFile(node, []byte(script), 0o755))
	engine := newEngine(t, vtl.Config{Node: node})

	_, err := engine.Render(t.Context(), vtl.Request{Name: "t", Template: `CRASH`})
	assert.EqualError(t, err, `rendering template "t": the template engine died (signal: killed): dying: no memory`)

	got, err := engine.Render(t.Context(), vtl.Request{Template: `works`})
	require.NoError(t, err)
	assert.Equal(t, "works", got.Text)
}

func TestATemplateThatNeverEndsIsStopped(t *testing.T) {
	engine := newEngine(t, vtl.Config{Timeout: time.Second})
	forever := strings.Repeat(`#foreach($i in [1..999])`, 5) + strings.Repeat(`#end`, 5)

	_, err := engine.Render(t.Context(), vtl.Request{Name: "loop", Template: forever})
	assert.EqualError(t, err, `rendering template "loop": no answer within the time allowed: 1s`)

	got, err := engine.Render(t.Context(), vtl.Request{Template: `works`})
	require.NoError(t, err)
	assert.Equal(t, "works", got.Text)
}

func TestACancelledRequestLeavesTheEngineAlone(t *testing.T) {
	engine := newEngine(t, vtl.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := engine.Render(ctx, vtl.Request{Template: `x`})
	assert.ErrorIs(t, err, context.Canceled)

	got, err := engine.Render(t.Context(), vtl.Request{Template: `works`})
	require.NoError(t, err)
	assert.Equal(t, "works", got.Text)
}

func TestAClosedEngineSaysSo(t *testing.T) {
	engine, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	require.NoError(t, engine.Close())

	_, err = engine.Render(t.Context(), vtl.Request{Template: `x`})

	assert.ErrorIs(t, err, vtl.ErrClosed)
	assert.NoError(t, engine.Close(), "twice")
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	_, err := vtl.New(t.Context(), vtl.Config{Node: "no-such-node"})
	assert.ErrorContains(t, err, "finding Node.js (install version 20 or later)")

	_, err = vtl.New(t.Context(), vtl.Config{Root: t.TempDir()})
	assert.ErrorContains(t, err, "finding velocityjs (run `npm ci` in ")
}

// BenchmarkRender renders what the two routes render, and its peer in turn: the same done in Go, which an API
// Gateway written for this one API could do. "x-peer" is how many times as long the templates take.
func BenchmarkRender(b *testing.B) {
	engine := newEngine(b, vtl.Config{})
	event := `{"event_id":"x","n":9007199254740993,"text":"` + strings.Repeat("é", 400) + `"}`
	for name, r := range map[string]vtl.Request{
		"event": {Template: `{"Records": ["$util.base64Encode($input.json('$.events[0]'))"]}`, Body: []byte(`{"events":[` + event + `]}`)},
		"batch of 500": {
			Template: `{"Records": [#foreach($e in $input.path('$.events'))"$util.base64Encode($input.json("$.events[$foreach.index]"))"#if($foreach.hasNext),#end#end]}`,
			Body:     []byte(`{"events":[` + strings.Repeat(event+",", 499) + event + `]}`),
		},
	} {
		b.Run(name, func(b *testing.B) {
			var ours, peer []float64 // ms
			for b.Loop() {
				start := time.Now()
				_, err := engine.Render(b.Context(), r)
				ours = append(ours, time.Since(start).Seconds()*1000)
				require.NoError(b, err)

				start = time.Now()
				err = renderInGo(r.Body)
				peer = append(peer, time.Since(start).Seconds()*1000)
				require.NoError(b, err)
			}
			slices.Sort(ours)
			slices.Sort(peer)
			middle := len(ours) / 2
			b.ReportMetric(ours[middle], "p50-ms")
			b.ReportMetric(peer[middle], "p50-peer-ms")
			b.ReportMetric(ours[middle]/peer[middle], "x-peer")
		})
	}
}

func renderInGo(body []byte) error {
	var batch struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return err
	}
	records := make([][]byte, len(batch.Events)) // encoded in base64
	for i, event := range batch.Events {
		records[i] = event
	}
	_, err := json.Marshal(map[string]any{"Records": records})
	return err
}

// However the parent ends, the kernel closes its end of the pipe.
func TestTheProcessEndsWithItsParent(t *testing.T) {
	node := exec.CommandContext(t.Context(), "node", "engine.mjs")
	stdin, err := node.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())

	require.NoError(t, stdin.Close())

	assert.NoError(t, node.Wait())
}
