package alerts_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"videopatrol/inventory/sqldb/sqldbtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		os.Exit(victim())
	}
	goleak.VerifyTestMain(sqldbtest.M{M: m})
}
