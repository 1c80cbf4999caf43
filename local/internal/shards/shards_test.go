package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fake is a stream: what each call does is its test's to say.
type fake struct {
	list     func() []types.Shard
	position func(*kinesis.GetShardIteratorInput) (iterator string, err error)
	records  func(iterator string) (*kinesis.GetRecordsOutput, error)
}

func (f *fake) ListShards(_ context.Context, input *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	all := f.list()
	if input.NextToken == nil && len(all) > 1 { // one shard on the first page
		return &kinesis.ListShardsOutput{Shards: all[:1], NextToken: aws.String("more")}, nil
	}
	if input.NextToken != nil {
		if input.StreamARN != nil {
			return nil, errors.New("NextToken excludes the stream")
		}
		all = all[1:]
	}
	return &kinesis.ListShardsOutput{Shards: all}, nil
}

func (f *fake) GetShardIterator(_ context.Context, input *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	iterator, err := f.position(input)
	return &kinesis.GetShardIteratorOutput{ShardIterator: &iterator}, err
}

func (f *fake) GetRecords(_ context.Context, input *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	return f.records(*input.ShardIterator)
}

func shard(id, start, parent string) types.Shard {
	s := types.Shard{ShardId: &id, SequenceNumberRange: &types.SequenceNumberRange{StartingSequenceNumber: &start}}
	if parent != "" {
		s.ParentShardId = &parent
	}
	return s
}

func output(next string, sequences ...string) *kinesis.GetRecordsOutput {
	out := &kinesis.GetRecordsOutput{}
	if next != "" {
		out.NextShardIterator = &next
	}
	for _, sequence := range sequences {
		out.Records = append(out.Records, types.Record{SequenceNumber: &sequence})
	}
	return out
}

func sequences(records []types.Record) (all []string) {
	for _, r := range records {
		all = append(all, *r.SequenceNumber)
	}
	return all
}

var quiet = slog.New(slog.DiscardHandler)

func testShard(stream API, start Start) *Shard {
	reader := &Reader{Client: stream, StreamARN: "arn", Log: quiet}
	return reader.newShard(shard("shard", "1", ""), start, "")
}

func TestChildrenAreReadFromTheirBeginningOnceTheirParentHasBeenHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var split atomic.Bool
		stream := &fake{
			list: func() []types.Shard {
				all := []types.Shard{shard("parent", "1", ""), shard("other", "1", "")}
				if split.Load() {
					all = append(all, shard("child-1", "5", "parent"), shard("child-2", "5", "parent"))
				}
				return all
			},
			position: func(in *kinesis.GetShardIteratorInput) (string, error) {
				return fmt.Sprintf("%s %s", *in.ShardId, in.ShardIteratorType), nil
			},
			records: func(iterator string) (*kinesis.GetRecordsOutput, error) {
				if iterator == "parent LATEST" {
					split.Store(true)
					return output("", "4"), nil // closed
				}
				return output(iterator), nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		var events []string
		say := make(chan string)
		go func() {
			defer close(say)
			reader := &Reader{Client: stream, StreamARN: "arn", Start: Start{Type: types.ShardIteratorTypeLatest}, Log: quiet}
			reader.Run(ctx, func(ctx context.Context, s *Shard) {
				say <- s.ID + " begins"
				for {
					records, err := s.Next(ctx)
					if err != nil {
						if errors.Is(err, io.EOF) {
							time.Sleep(time.Minute) // still at work on what was read
							say <- s.ID + " ends"
						}
						return
					}
					say <- fmt.Sprintf("%s %v", s.ID, sequences(records))
				}
			})
		}()
		go func() {
			time.Sleep(time.Hour)
			cancel()
		}()
		for text := range say {
			if text != "other begins" { // beside the parent, in any order
				events = append(events, text)
			}
		}
		require.Len(t, events, 5)
		assert.Equal(t, []string{"parent begins", "parent [4]", "parent ends"}, events[:3])
		assert.ElementsMatch(t, []string{"child-1 begins", "child-2 begins"}, events[3:])
	})
}

func TestShardsThatAppearLaterAreReadFromTheirBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		positions := make(chan string, 10)
		stream := &fake{
			list: func() []types.Shard {
				if time.Since(started) < time.Minute {
					return []types.Shard{shard("shard", "1", "")}
				}
				return []types.Shard{shard("shard", "2", "")} // the emulator's UpdateShardCount
			},
			position: func(in *kinesis.GetShardIteratorInput) (string, error) {
				positions <- string(in.ShardIteratorType)
				return "iterator", nil
			},
			records: func(string) (*kinesis.GetRecordsOutput, error) { return output("iterator"), nil },
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var ends []error
		(&Reader{Client: stream, StreamARN: "arn", Start: Start{Type: types.ShardIteratorTypeLatest}, Log: quiet}).
			Run(ctx, func(ctx context.Context, s *Shard) {
				_, err := s.Next(ctx)
				ends = append(ends, err) // one after the other: the first ends before the deadline
			})
		close(positions)
		var got []string
		for position := range positions {
			got = append(got, position)
		}
		assert.Equal(t, []string{"LATEST", "TRIM_HORIZON"}, got)
		assert.Equal(t, []error{io.EOF, context.DeadlineExceeded}, ends)
	})
}

func TestExpiredIteratorIsReplacedByOneAfterTheLastRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var positions []string
		stream := &fake{
			position: func(in *kinesis.GetShardIteratorInput) (string, error) {
				positions = append(positions, fmt.Sprint(in.ShardIteratorType, " ", aws.ToString(in.StartingSequenceNumber)))
				return fmt.Sprint("iterator ", len(positions)), nil
			},
			records: func(iterator string) (*kinesis.GetRecordsOutput, error) {
				switch iterator {
				case "iterator 1":
					return output("expired", "1", "2"), nil
				case "iterator 2":
					return output("", "3"), nil
				}
				return nil, &types.ExpiredIteratorException{}
			},
		}
		s := testShard(stream, Start{Type: types.ShardIteratorTypeTrimHorizon})
		first, err := s.Next(t.Context())
		require.NoError(t, err)
		second, err := s.Next(t.Context())
		require.NoError(t, err)
		_, err = s.Next(t.Context())
		assert.Equal(t, io.EOF, err)
		assert.Equal(t, []string{"1", "2", "3"}, sequences(append(first, second...)))
		assert.Equal(t, []string{"TRIM_HORIZON ", "AFTER_SEQUENCE_NUMBER 2"}, positions)
	})
}

func TestLatestThatExpiresUnreadGoesOnFromItsTimeAndSkipsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := time.Now()
		var last *kinesis.GetShardIteratorInput
		stream := &fake{
			position: func(in *kinesis.GetShardIteratorInput) (string, error) {
				last = in
				return string(in.ShardIteratorType), nil
			},
			records: func(iterator string) (*kinesis.GetRecordsOutput, error) {
				if iterator == "LATEST" {
					return nil, &types.ExpiredIteratorException{}
				}
				return output("next", "1"), nil
			},
		}
		_, err := testShard(stream, Start{Type: types.ShardIteratorTypeLatest}).Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, types.ShardIteratorTypeAtTimestamp, last.ShardIteratorType)
		assert.Equal(t, opened, *last.Timestamp)
	})
}

func TestTroubleIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stream := &fake{
			position: func(*kinesis.GetShardIteratorInput) (string, error) { return "iterator", nil },
			records: func(string) (*kinesis.GetRecordsOutput, error) {
				if calls++; calls < 100 {
					return nil, errors.New("connection refused")
				}
				return output("iterator", "1"), nil
			},
		}
		records, err := testShard(stream, Start{Type: types.ShardIteratorTypeTrimHorizon}).Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"1"}, sequences(records))
	})
}

func TestShardThatIsGoneHasEnded(t *testing.T) {
	stream := &fake{position: func(*kinesis.GetShardIteratorInput) (string, error) { return "", &types.ResourceNotFoundException{} }}
	_, err := testShard(stream, Start{Type: types.ShardIteratorTypeTrimHorizon}).Next(t.Context())
	assert.Equal(t, io.EOF, err)
}

func TestShardThatWasReadBeforeGoesOnAfterItsLastRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		positions := make(chan string, 2)
		stream := &fake{
			list: func() []types.Shard { return []types.Shard{shard("begun", "1", ""), shard("new", "1", "")} },
			position: func(in *kinesis.GetShardIteratorInput) (string, error) {
				positions <- fmt.Sprint(*in.ShardId, " ", in.ShardIteratorType, " ", aws.ToString(in.StartingSequenceNumber))
				return "iterator", nil
			},
			records: func(string) (*kinesis.GetRecordsOutput, error) { return output("iterator"), nil },
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		reader := &Reader{
			Client: stream, StreamARN: "arn", Start: Start{Type: types.ShardIteratorTypeTrimHorizon}, Log: quiet,
			After: func(key string) string { return map[string]string{"begun@1": "7"}[key] },
		}
		reader.Run(ctx, func(ctx context.Context, s *Shard) {
			_, err := s.Next(ctx)
			assert.Equal(t, context.DeadlineExceeded, err)
		})
		close(positions)
		var got []string
		for position := range positions {
			got = append(got, position)
		}
		assert.ElementsMatch(t, []string{"begun AFTER_SEQUENCE_NUMBER 7", "new TRIM_HORIZON "}, got)
	})
}
