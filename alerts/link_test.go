package alerts_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"videopatrol/alerts"
)

var linkKey = bytes.Repeat([]byte("k"), alerts.MinLinkKey)

func TestLinks(t *testing.T) {
	t.Parallel()
	picture := strings.Repeat("ab", 32)
	token, err := alerts.SignLink(linkKey, picture, began.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key     []byte
		picture string
		token   string
		now     time.Time
		want    error
	}{
		"good":          {linkKey, picture, token, began, nil},
		"expired":       {linkKey, picture, token, began.Add(time.Hour), alerts.ErrLinkExpired},
		"other picture": {linkKey, strings.Repeat("cd", 32), token, began, alerts.ErrLinkForged},
		"other key":     {bytes.Repeat([]byte("l"), 32), picture, token, began, alerts.ErrLinkForged},
		"longer":        {linkKey, picture, "9" + token, began, alerts.ErrLinkForged},
		"cut":           {linkKey, picture, token[:len(token)-1], began, alerts.ErrLinkForged},
		"empty":         {linkKey, picture, "", began, alerts.ErrLinkForged},
		"no key":        {nil, picture, token, began, alerts.ErrLinkForged},
	} {
		if err := alerts.VerifyLink(c.key, c.picture, c.token, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := alerts.SignLink([]byte("short"), picture, began); err == nil {
		t.Error("a short key was taken")
	}
}

func FuzzVerifyLink(f *testing.F) {
	picture := strings.Repeat("ab", 32)
	good, err := alerts.SignLink(linkKey, picture, began)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("1772330400.")
	f.Fuzz(func(t *testing.T, token string) {
		if alerts.VerifyLink(linkKey, picture, token, began.Add(-time.Hour)) == nil && token != good {
			t.Errorf("%q was taken", token)
		}
	})
}
