package firehose

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// javaTime formats at by a pattern of Java's DateTimeFormatter: letters in
// runs, 'literals' in quotes, a doubled quote for one.
func javaTime(pattern string, at time.Time) string {
	var text strings.Builder
	for _, token := range tokens(pattern) {
		text.WriteString(token.format(at))
	}
	return text.String()
}

// letters are those of DateTimeFormatter that are formatted here; what needs
// weeks, eras or a locale is not.
const letters = "yuMLdDHhKkmsSnaEQ"

func checkPattern(pattern string) error {
	if strings.Count(pattern, "'")%2 != 0 {
		return fmt.Errorf("timestamp pattern must close its quotes, got %q", pattern)
	}
	for _, token := range tokens(pattern) {
		if letter := token.letter; letter != 0 && !strings.ContainsRune(letters, letter) {
			return fmt.Errorf("timestamp pattern must use the letters %s, got %q in %q", letters, letter, pattern)
		}
	}
	return nil
}

// token is a run of one pattern letter, or a literal when letter is 0.
type token struct {
	letter  rune
	count   int
	literal string
}

var tokenForm = regexp.MustCompile(`'([^']*)'|([A-Za-z]+)|([^A-Za-z']+)`)

func tokens(pattern string) []token {
	var found []token
	for _, match := range tokenForm.FindAllStringSubmatch(pattern, -1) {
		quoted, letters, other := match[1], match[2], match[3]
		if match[0] == "''" {
			quoted = "'"
		}
		if letters == "" {
			found = append(found, token{literal: quoted + other})
		}
		for i, letter := range letters {
			if i > 0 && found[len(found)-1].letter == letter {
				found[len(found)-1].count++
			} else {
				found = append(found, token{letter: letter, count: 1})
			}
		}
	}
	return found
}

func (t token) format(at time.Time) string {
	number := map[rune]int{
		'y': at.Year(), 'u': at.Year(), 'M': int(at.Month()), 'L': int(at.Month()), 'd': at.Day(), 'D': at.YearDay(),
		'H': at.Hour(), 'h': (at.Hour()+11)%12 + 1, 'K': at.Hour() % 12, 'k': (at.Hour()+23)%24 + 1,
		'm': at.Minute(), 's': at.Second(), 'n': at.Nanosecond(), 'Q': (int(at.Month())-1)/3 + 1,
	}[t.letter]
	switch {
	case t.letter == 0:
		return t.literal
	case (t.letter == 'y' || t.letter == 'u') && t.count == 2:
		return fmt.Sprintf("%02d", number%100)
	case (t.letter == 'M' || t.letter == 'L') && t.count == 3:
		return at.Format("Jan")
	case (t.letter == 'M' || t.letter == 'L') && t.count == 4:
		return at.Format("January")
	case t.letter == 'E' && t.count < 4:
		return at.Format("Mon")
	case t.letter == 'E':
		return at.Format("Monday")
	case t.letter == 'a':
		return at.Format("PM")
	case t.letter == 'S': // a fraction: its first digits, not a number
		return fmt.Sprintf("%09d", at.Nanosecond())[:min(t.count, 9)]
	default:
		return fmt.Sprintf("%0*d", t.count, number)
	}
}
