// Package drill rehearses disasters on env=local: it breaks what is deployed while a
// client posts, waits until an alarm would fire, mends it by what docs/disaster-recovery.md
// says, and counts what was lost and what is there twice.
//
// An alarm fires here if its deployed definition says so of the metrics that are emitted
// here, with each second of this machine's counted as some of AWS's: as many as the buffer
// intervals of deliveries are shortened by.
package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/internal/wait"
	"github.com/millrace-cdk/millrace/local/cloud"
)

// Config is what a rehearsal needs.
type Config struct {
	// Environment is the local environment. Required.
	Environment *cloud.Environment
	// TimeScale is what the environment was started with. Default: [cloud.DefaultTimeScale].
	TimeScale float64
	// Names are the drills to do, of [Names]. Default: all, in their order.
	Names []string
	// Millrace runs a command of millrace. Required.
	Millrace func(ctx context.Context, args ...string) error
	// Progress gets a line a step. Default: silence.
	Progress io.Writer
}

// ErrLost is what [Run] returns when something was lost or is there twice.
var ErrLost = errors.New("not every accepted event is at rest exactly once")

// ErrUnseen is what [Run] returns when no alarm fired: nobody would have known, or nothing was broken.
var ErrUnseen = errors.New("no alarm fired")

// Result is what came of one drill. Times are this machine's, unless said otherwise.
type Result struct {
	// Drill is its name, What what was broken.
	Drill string `json:"drill"`
	What  string `json:"what"`
	// Alarms fired until it was mended, in their order; each by its section in the runbook.
	Alarms []Fired `json:"alarms"`
	// Broken is how many seconds passed from the fault to the beginning of the mend, and Recovered how
	// many from there until all that was accepted was at rest.
	Broken    float64 `json:"broken"`
	Recovered float64 `json:"recovered"`
	// Accepted and Refused count answers of the API. What was refused was posted again.
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
	// Aside counts the records that can never be stored and are kept.
	Aside int `json:"aside"`
	// Lost counts accepted events that are not in the lake, or neither in the table nor rightly in
	// quarantine; Duplicated the rows that are one too many.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	// Again counts the lake's lines of events that it had already: readers tell them by their identity.
	Again int `json:"again"`
}

// Fired is an alarm that fired.
type Fired struct {
	// Alarm is its section in the runbook, Name its own name, Says its condition.
	Alarm string `json:"alarm"`
	Name  string `json:"name"`
	Says  string `json:"says"`
	// After is how many seconds after the fault; AWSMinutes how many minutes that are on AWS.
	After      float64 `json:"after"`
	AWSMinutes float64 `json:"aws_minutes"`
}

// before is how long is posted before the fault, and patience how long an alarm is waited for, in AWS's time.
const before, patience = 2 * minute, 30 * minute

// Run does the drills, one after the other. report gets each result as it is there.
func Run(ctx context.Context, config Config, report func(Result)) (err error) {
	config.TimeScale = cmp.Or(config.TimeScale, cloud.DefaultTimeScale)
	if config.Progress == nil {
		config.Progress = io.Discard
	}
	l, err := newLine(ctx, config)
	if err != nil {
		return err
	}
	watch, err := newWatch(ctx, cloudwatch.NewFromConfig(config.Environment.AWS()), config.TimeScale)
	if err != nil {
		return err
	}
	names := config.Names
	if len(names) == 0 {
		names = Names()
	}
	var lost, unseen []string
	for _, name := range names {
		r := &rehearsal{line: l, watch: watch, scenario: scenarios[name](l)}
		result, err := r.run(ctx, name)
		if err != nil {
			return fmt.Errorf("drill %s: %w", name, err)
		}
		report(result)
		if result.Lost > 0 || result.Duplicated > 0 {
			lost = append(lost, name)
		}
		if len(result.Alarms) == 0 && !r.silent {
			unseen = append(unseen, name)
		}
	}
	var errs []error
	if len(lost) > 0 {
		errs = append(errs, fmt.Errorf("%w: %s", ErrLost, strings.Join(lost, ", ")))
	}
	if len(unseen) > 0 {
		errs = append(errs, fmt.Errorf("%w: %s", ErrUnseen, strings.Join(unseen, ", ")))
	}
	return errors.Join(errs...)
}

// rehearsal is one drill under way.
type rehearsal struct {
	*line
	*watch
	scenario
}

func (r *rehearsal) run(ctx context.Context, name string) (result Result, err error) {
	result = Result{Drill: name, What: r.what}
	began := time.Now()
	p := newProducer(fmt.Sprintf("%s-%d", name, began.UnixMilli()), r.APIURL, r.apiKey)
	p.note = r.note
	loading, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.run(loading)
	}()
	defer func() {
		stop()
		<-ended
		if r.restore != nil {
			err = errors.Join(err, r.restore(context.WithoutCancel(ctx)))
		}
	}()
	if err := wait.For(ctx, r.fast(before)); err != nil {
		return result, err
	}

	r.say("%s: %s", name, r.what)
	broken := time.Now()
	if err := r.breaks(ctx); err != nil {
		return result, fmt.Errorf("breaking: %w", err)
	}
	if result.Alarms, err = r.detect(ctx, began, broken); err != nil {
		return result, err
	}
	mended := time.Now()
	result.Broken = mended.Sub(broken).Seconds()
	r.say("%s: mending after %.0f s", name, result.Broken)
	if err := r.mends(ctx); err != nil {
		return result, fmt.Errorf("mending: %w", err)
	}
	stop()
	<-ended
	drain, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.drain(drain); err != nil {
		return result, err
	}
	if err := r.await(ctx, p, &result); err != nil {
		return result, err
	}
	result.Recovered = time.Since(mended).Seconds()
	result.Accepted, result.Refused = p.counts()
	r.say("%s: recovered after %.0f s: accepted %d, lost %d, duplicated %d", name, result.Recovered, result.Accepted, result.Lost, result.Duplicated)
	// Where all that was posted is at rest, the lake and the table agree about everything else too.
	if result.Lost == 0 {
		err = r.Millrace(ctx, "verify", "--before="+time.Now().UTC().Format(time.RFC3339Nano))
	}
	return result, err
}

// detect waits until an alarm fires and the fault has lasted, or nothing fires. It returns all that fired.
func (r *rehearsal) detect(ctx context.Context, began, broken time.Time) ([]Fired, error) {
	all := []Fired{}
	for time.Since(broken) < r.hold || len(all) == 0 && time.Since(broken) < r.fast(patience) {
		if err := wait.For(ctx, time.Second); err != nil {
			return nil, err
		}
		fired, err := r.fired(ctx, began)
		if err != nil {
			return nil, err
		}
		for _, a := range fired {
			if slices.ContainsFunc(all, func(f Fired) bool { return f.Name == a.Name }) {
				continue
			}
			after := time.Since(broken)
			all = append(all, Fired{Alarm: cmp.Or(a.Runbook, a.Name), Name: a.Name, Says: a.Says(), After: after.Seconds(), AWSMinutes: r.slow(after).Minutes()})
			r.say("  %s after %.0f s", a.Name, after.Seconds())
		}
	}
	return all, nil
}

// stuck is how long what is missing may make no progress.
const stuck = 45 * time.Second

// await waits until all that was accepted is at rest, and counts what is not when nothing comes any more.
func (r *rehearsal) await(ctx context.Context, p *producer, result *Result) error {
	least, since := -1, time.Now()
	for {
		found, err := r.look(ctx, p)
		if err != nil {
			return err
		}
		if r.kept != nil {
			missing, kept, err := r.kept(ctx)
			if err != nil {
				return err
			}
			found.lost, found.aside = found.lost+missing, found.aside+kept
		}
		result.Lost, result.Duplicated, result.Again, result.Aside = found.lost, found.duplicated, found.again, found.aside
		if found.lost == 0 {
			return nil
		}
		if least < 0 || found.lost < least {
			least, since = found.lost, time.Now()
		}
		if time.Since(since) > stuck {
			return nil
		}
		if err := wait.For(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// fast is how long d of AWS's lasts here.
func (l *line) fast(d time.Duration) time.Duration { return time.Duration(float64(d) / l.TimeScale) }

func (l *line) say(format string, arguments ...any) {
	fmt.Fprintf(l.Progress, format+"\n", arguments...)
}

func (l *line) connect(ctx context.Context) (*pgx.Conn, error) {
	db, err := pgx.Connect(ctx, l.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("connecting to the environment's Postgres: %w", err)
	}
	return db, nil
}
