package rtsp_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(senderEnv) != "" {
		serveSenders()
		return
	}
	goleak.VerifyTestMain(m)
}
