package database

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// What RDS takes for windows: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
const (
	leastWindow   = 30 // minutes
	day           = 24 * 60
	week          = 7 * day
	clock         = `([01]\d|2[0-3]):([0-5]\d)`
	weekday       = `(mon|tue|wed|thu|fri|sat|sun)`
	backupForm    = "hh:mm-hh:mm"
	upkeepForm    = "ddd:hh:mm-ddd:hh:mm"
	windowsLength = "30 minutes to 24 hours"
)

var (
	backupWindow      = regexp.MustCompile(`^` + clock + `-` + clock + `$`)
	maintenanceWindow = regexp.MustCompile(`^` + weekday + `:` + clock + `-` + weekday + `:` + clock + `$`)
)

// span is a time of the week, in minutes since Monday 00:00; it may reach into the next week.
type span struct{ start, length int }

// validateWindows checks the windows, and that none of the daily backups falls into the maintenance.
func validateWindows(backup, maintenance string) error {
	daily, backupErr := backupSpan(cmp.Or(backup, DefaultBackupWindow))
	weekly, maintenanceErr := maintenanceSpan(cmp.Or(maintenance, DefaultMaintenanceWindow))
	if err := errors.Join(backupErr, maintenanceErr); err != nil {
		return err
	}
	for i := range 7 {
		if overlap(span{daily.start + i*day, daily.length}, weekly) {
			return fmt.Errorf("backup window and maintenance window must not overlap, got %s and %s",
				cmp.Or(backup, DefaultBackupWindow), cmp.Or(maintenance, DefaultMaintenanceWindow))
		}
	}
	return nil
}

func backupSpan(text string) (span, error) {
	m := backupWindow.FindStringSubmatch(text)
	if m == nil {
		return span{}, fmt.Errorf("backup window must be %s in UTC, got %q", backupForm, text)
	}
	return lasting("backup window", text, minutes(m[1], m[2]), minutes(m[3], m[4]), day)
}

func maintenanceSpan(text string) (span, error) {
	m := maintenanceWindow.FindStringSubmatch(text)
	if m == nil {
		return span{}, fmt.Errorf("maintenance window must be %s in UTC, got %q", upkeepForm, text)
	}
	days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	start := slices.Index(days, m[1])*day + minutes(m[2], m[3])
	end := slices.Index(days, m[4])*day + minutes(m[5], m[6])
	return lasting("maintenance window", text, start, end, week)
}

// lasting is the span from start to end, which come round again after cycle minutes.
func lasting(subject, text string, start, end, cycle int) (span, error) {
	length := ((end-start)%cycle + cycle) % cycle
	if length < leastWindow || length > day {
		return span{}, fmt.Errorf("%s must last %s, got %q", subject, windowsLength, text)
	}
	return span{start, length}, nil
}

// overlap says whether two spans have a minute in common, in whichever week.
func overlap(a, b span) bool {
	after := ((b.start-a.start)%week + week) % week // from a's start to b's next
	return after < a.length || week-after < b.length
}

// minutes of a clock that a pattern has found.
func minutes(hour, minute string) int {
	h, _ := strconv.Atoi(hour)
	m, _ := strconv.Atoi(minute)
	return 60*h + m
}
