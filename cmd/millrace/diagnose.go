package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace-cdk/millrace/cmd/millrace/runbook"
	"github.com/millrace-cdk/millrace/docs"
)

type diagnoseCmd struct {
	Alarm string        `arg:"" help:"The alarm's name, or the anchor of its section in docs/runbook.md: load-errors."`
	Env   string        `help:"The environment." default:"local"`
	Since time.Duration `help:"How far back logs are read." default:"1h"`
}

// errNotThere is of a look at what the environment was deployed without.
var errNotThere = errors.New("the environment has no")

// lookPatience is how long one look may take.
const lookPatience = time.Minute

// Run prints the section, and what came out of its looks.
func (c *diagnoseCmd) Run(ctx context.Context, cli *CLI) error {
	d, err := findLine(ctx, cli.Root, c.Env)
	if err != nil {
		return err
	}
	section, err := c.section(ctx, d)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotLooked, err)
	}
	fmt.Printf("%s\n\n%s\n", section.Title, strings.TrimSpace(section.Text))
	for _, shared := range runbook.Shared(docs.Runbook(), section) {
		fmt.Printf("\n%s\n\n%s\n", shared.Title, strings.TrimSpace(shared.Text))
	}
	ran := &looks{lineFound: d, since: time.Now().Add(-c.Since), out: os.Stdout}
	d.environ = append(d.environ, "SINCE_MS="+strconv.FormatInt(ran.since.UnixMilli(), 10))
	for _, look := range section.Looks {
		within, cancel := context.WithTimeout(ctx, lookPatience)
		ran.run(within, look)
		cancel()
	}
	if ran.failed > 0 {
		return fmt.Errorf("%d looks did not come to an answer", ran.failed)
	}
	return nil
}

func (c *diagnoseCmd) section(ctx context.Context, d *lineFound) (runbook.Section, error) {
	sections := runbook.Sections(docs.Runbook())
	find := func(anchor string) int {
		return slices.IndexFunc(sections, func(s runbook.Section) bool { return s.Anchor == anchor })
	}
	if i := find(strings.ToLower(c.Alarm)); i >= 0 {
		return sections[i], nil
	}
	found, err := cloudwatch.NewFromConfig(d.aws).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{c.Alarm}, AlarmTypes: []cloudwatchtypes.AlarmType{cloudwatchtypes.AlarmTypeMetricAlarm, cloudwatchtypes.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return runbook.Section{}, fmt.Errorf("describing the alarm: %w", err)
	}
	var description string
	for _, a := range found.MetricAlarms {
		description = aws.ToString(a.AlarmDescription)
	}
	for _, a := range found.CompositeAlarms {
		description = aws.ToString(a.AlarmDescription)
	}
	_, anchor, _ := strings.Cut(description, "#")
	if i := find(anchor); i >= 0 {
		return sections[i], nil
	}
	return runbook.Section{}, fmt.Errorf("%q is neither an alarm of %s nor a section of docs/runbook.md", c.Alarm, c.Env)
}

// looks runs looks and prints what they were and what came out.
type looks struct {
	*lineFound
	since  time.Time
	out    io.Writer
	failed int
}

func (l *looks) run(ctx context.Context, look runbook.Look) {
	switch look.Language {
	case "sql":
		l.tell(ctx, look.Code, l.query)
	case "insights":
		l.tell(ctx, look.Code, func(ctx context.Context, code string) error { return l.insights(ctx, look.Group, code) })
	default:
		for _, command := range look.Commands() {
			l.tell(ctx, command, l.shell)
		}
	}
}

func (l *looks) tell(ctx context.Context, code string, run func(context.Context, string) error) {
	fmt.Fprintf(l.out, "\n$ %s\n", strings.TrimSpace(code))
	err := run(ctx, code)
	switch {
	case errors.Is(err, errNotThere), errors.Is(err, errNoDatabase):
		fmt.Fprintln(l.out, "not run:", err)
	case err != nil:
		l.failed++
		fmt.Fprintln(l.out, "no answer:", err)
	}
}

func (l *looks) shell(ctx context.Context, command string) error {
	if !runbook.Reads(command) {
		return errors.New("not run: it may change something")
	}
	for _, name := range runbook.Variables(command) {
		if !slices.ContainsFunc(l.environ, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
			return fmt.Errorf("%w %s", errNotThere, name)
		}
	}
	process := exec.CommandContext(ctx, "sh", "-c", command)
	process.Env = append(l.environ, "AWS_PAGER=")
	process.Stdout, process.Stderr = l.out, l.out
	err := process.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != trouble {
		return err
	}
	switch {
	case strings.HasPrefix(command, "millrace "): // it found something, and has said what
		return nil
	case strings.HasPrefix(command, "aws s3 ls "): // its 1 says so, and nothing else does
		_, err = fmt.Fprintln(l.out, "(nothing is there)")
	}
	return err
}

func (l *looks) query(ctx context.Context, code string) (err error) {
	if l.database == "" {
		return errNoDatabase
	}
	db, err := l.connect(ctx)
	if err != nil {
		return fmt.Errorf("connecting to the environment's Postgres: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	tx, err := db.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it has only read
	rows, err := tx.Query(ctx, code, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
	var names []string
	for _, field := range rows.FieldDescriptions() {
		names = append(names, field.Name)
	}
	fmt.Fprintln(table, strings.Join(names, "\t"))
	for rows.Next() {
		var cells []string
		for _, value := range rows.RawValues() {
			cells = append(cells, string(value)) // the simple protocol's values are text
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return errors.Join(rows.Err(), table.Flush())
}

// connect goes to the database "postgres" where that of the events has no room: its views show all of them.
func (l *looks) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(l.database)
	if err != nil {
		return nil, err
	}
	db, err := pgx.ConnectConfig(ctx, config)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == tooManyConnections {
		fmt.Fprintf(l.out, "(%s has no room, so this is asked of the database postgres)\n", config.Database)
		config.Database = "postgres"
		return pgx.ConnectConfig(ctx, config)
	}
	return db, err
}

// https://www.postgresql.org/docs/17/errcodes-appendix.html
const tooManyConnections = "53300"

func (l *looks) insights(ctx context.Context, group, code string) error {
	name := l.names[group]
	if name == "" {
		return fmt.Errorf("%w %s", errNotThere, group)
	}
	client := cloudwatchlogs.NewFromConfig(l.aws)
	started, err := client.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
		LogGroupName: &name, QueryString: &code, StartTime: aws.Int64(l.since.Unix()), EndTime: aws.Int64(time.Now().Unix()),
	})
	if err != nil {
		return fmt.Errorf("querying %s: %w", name, err)
	}
	for {
		found, err := client.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
		switch {
		case err != nil:
			return fmt.Errorf("querying %s: %w", name, err)
		case found.Status == logtypes.QueryStatusComplete:
			for _, row := range found.Results {
				var cells []string
				for _, cell := range row {
					if aws.ToString(cell.Field) != "@ptr" {
						cells = append(cells, aws.ToString(cell.Field)+"="+aws.ToString(cell.Value))
					}
				}
				fmt.Fprintln(l.out, strings.Join(cells, "  "))
			}
			fmt.Fprintf(l.out, "(%d rows)\n", len(found.Results))
			return nil
		case found.Status != logtypes.QueryStatusRunning && found.Status != logtypes.QueryStatusScheduled:
			return fmt.Errorf("querying %s: the query is %s", name, found.Status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
