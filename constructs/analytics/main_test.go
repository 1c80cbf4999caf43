package analytics_test

import (
	"testing"

	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }
